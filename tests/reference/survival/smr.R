# Reference values for survival/smr.py and survival/standardised.py.
# Run in this folder: Rscript smr.R   (writes smr_rows.csv, smr.json)
suppressMessages({library(survival)})
set.seed(20261120)
n <- 300
number <- function(v) formatC(v, digits = 17, format = "g")
entry <- as.Date("1988-01-01") + sample(0:7000, n, TRUE)
rows <- data.frame(
  id = seq_len(n), entry = as.integer(entry), days = sample(c(1, 30, 200, 900, 4000), n, TRUE) + sample(0:400, n, TRUE),
  age = round(runif(n, 18, 88), 3), sex = sample(c("F", "M"), n, TRUE)
)
rows$died <- rbinom(n, 1, pmin(0.9, rows$days / 365.25 * exp(-9.6 + 0.085 * rows$age)))
write.csv(rows, "smr_rows.csv", row.names = FALSE, quote = FALSE)

# Years of survexp.us turn on birthdays (type 4: people are moved to a birth on 1 January); as type 3 they turn on 1 January.
turning <- survexp.us
attr(turning, "type") <- c(2, 1, 3)
one_year <- survexp.us[, , "2008"]
expected <- function(table, year) {
  frame <- data.frame(days = rows$days, id = rows$id, age = rows$age * 365.25, sex = ifelse(rows$sex == "F", "female", "male"))
  if (year) frame$year <- entry
  map <- if (year) quote(list(age = age, sex = sex, year = year)) else quote(list(age = age, sex = sex))
  # one person in each cell, in days: pyears adds hazard x days over the cells of the table
  eval(bquote(pyears(days ~ factor(id), frame, rmap = .(map), ratetable = table, scale = 1)))$expected
}
by_row <- as.numeric(expected(turning, TRUE))
fixed <- as.numeric(expected(one_year, FALSE))
birthdays <- sum(expected(survexp.us, TRUE))
observed <- sum(rows$died)
limits <- function(o, e) c(qchisq(0.025, 2 * o) / (2 * e), qchisq(0.975, 2 * (o + 1)) / (2 * e))
poisson_test <- as.numeric(poisson.test(observed, sum(by_row))$conf.int)

# direct standardisation: the formulas of epitools::ageadjust.direct
direct <- function(count, pop, stdpop) {
  weight <- stdpop / sum(stdpop)
  rate <- count / pop
  dsr <- sum(weight * rate)
  variance <- sum(weight^2 * (count / pop^2))
  wm <- max(weight / pop)
  c(dsr, qgamma(0.025, shape = dsr^2 / variance, scale = variance / dsr),
    qgamma(0.975, shape = (dsr + wm)^2 / (variance + wm^2), scale = (variance + wm^2) / (dsr + wm)), sqrt(variance))
}
count <- list(on = c(2, 0, 9, 31, 40), off = c(1, 4, 6, 12, 55))
pop <- list(on = c(1200.5, 900, 750, 800.25, 310), off = c(3000, 2500, 1800, 900, 1500.75))
standard <- pop$on + pop$off
arms <- lapply(c(on = "on", off = "off"), function(arm) direct(count[[arm]], pop[[arm]], standard))
ratio <- log(arms$on[1] / arms$off[1])
ratio_se <- sqrt((arms$on[4] / arms$on[1])^2 + (arms$off[4] / arms$off[1])^2)

list_of <- function(v) paste0("[", paste(number(v), collapse = ", "), "]")
writeLines(sprintf(
  '{"expected": %s,\n"fixed_2008": %s,\n"total_turning_on_birthdays": %s,\n"observed": %d,\n"smr": %s,\n"limits": %s,\n"poisson_test": %s,\n"direct_on": %s,\n"direct_off": %s,\n"log_ratio": %s}',
  list_of(by_row), list_of(fixed), number(birthdays), observed, number(observed / sum(by_row)),
  list_of(limits(observed, sum(by_row))), list_of(poisson_test), list_of(arms$on), list_of(arms$off),
  list_of(c(ratio, ratio_se))), "smr.json")
