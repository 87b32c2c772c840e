# Deaths of adults with arthritis in NHANES beside those expected of the US population; see nhanes.R for the file.
# Run in this folder: Rscript nhanes_smr.R <path of nhanes_1999_2014_rx_mortality.csv.gz>   (writes nhanes_smr.json: no rows)
# Ages are completed years, so half a year older; from 80 on they are one group. Cycles stand for 1 January of their second
# year in `calendar`, which shows what taking 2009 for all years does.
suppressMessages(library(survival))
everybody <- read.csv(commandArgs(TRUE)[1], na.strings = "")
people <- subset(everybody, RIDAGEYR >= 20 & MCQ160A == "Yes" & !is.na(mortstat) & !is.na(permth_int))
people$days <- round(people$permth_int * 30.4375) + 1
people$age <- (people$RIDAGEYR + 0.5) * 365.25
people <- subset(people, age < 80 * 365.25)
people$end <- pmin(people$days, 80 * 365.25 - people$age)
people$died <- people$mortstat == 1 & people$end == people$days
people$sex <- ifelse(people$RIAGENDR == "Male", "male", "female")
people$year <- as.Date(paste0(sub(".*-", "", people$CYCLE), "-01-01"))
turning <- survexp.us
attr(turning, "type") <- c(2, 1, 3)
expected <- function(rows) sum(pyears(end ~ 1, rows, rmap = list(age = age, sex = sex), ratetable = survexp.us[, , "2009"], scale = 1)$expected)
number <- function(v) formatC(v, digits = 17, format = "g")
describe <- function(name, rows) sprintf('"%s": {"persons": %d, "deaths": %d, "expected": %s, "person_years": %s}', name, nrow(rows),
  sum(rows$died), number(expected(rows)), number(sum(rows$end) / 365.25))
used <- !is.na(people$opioids)
calendar <- sum(pyears(end ~ 1, people, rmap = list(age = age, sex = sex, year = year), ratetable = turning, scale = 1)$expected)
writeLines(paste0("{", paste(c(
  describe("all", people), describe("baseline user", people[used & people$opioids == "Yes", ]),
  describe("non user", people[used & people$opioids == "No", ]), sprintf('"calendar": %s', number(calendar))), collapse = ",\n"), "}"), "nhanes_smr.json")
