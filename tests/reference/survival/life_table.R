# Writes the shipped US life table: annual death rates by single year of age, sex and calendar year, from survexp.us.
# Run in this folder: Rscript life_table.R   (writes workflow/src/opioid_outcomes/data/life_tables/us.csv)
suppressMessages(library(survival))
years <- as.character(1970:2014)
rates <- as.data.frame.table(unclass(survexp.us)[, , years], responseName = "rate", stringsAsFactors = FALSE)
rates$sex <- ifelse(rates$sex == "female", "F", "M")
rates$age <- as.integer(rates$age)
rates$year <- as.integer(rates$year)
rates <- rates[order(rates$sex, rates$year, rates$age), ]
lines <- sprintf("%d,%s,%d,%.9g", rates$age, rates$sex, rates$year, rates$rate * 365.25)
head <- c(
  "# Death rates of the US population per person-year by single year of age, sex and calendar year, 1970-2014.",
  "# country: US",
  paste0("# Source: survexp.us of the R package survival ", packageVersion("survival"), " (Debian r-cran-survival): -log(1 - q) / 365.25 a day, q from the"),
  "# decennial and annual US life tables of the National Center for Health Statistics; times 365.25 here. The numbers are public",
  "# domain; the package is LGPL and none of its code is here. Written by tests/reference/survival/life_table.R, 2026-11-20.",
  "# A rate holds from its age to the next one, in its calendar year.",
  "age,sex,year,rate"
)
writeLines(c(head, lines), "../../../workflow/src/opioid_outcomes/data/life_tables/us.csv")
