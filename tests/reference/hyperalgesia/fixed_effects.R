# Numbers that tests/unit/test_fixed_effects.py holds the package to. Run in this folder: Rscript fixed_effects.R
# Writes fixed_effects_rows.csv (an unbalanced panel) and fixed_effects.csv: least squares with a dummy per person (and
# month), errors by sandwich::vcovCL (HC0 times G/(G-1)), and the joint Wald test of two columns.
library(sandwich)
set.seed(20260101)
persons <- 80
d <- do.call(rbind, lapply(seq_len(persons), function(i) {
  months <- sort(sample(0:11, sample(1:9, 1)))
  data.frame(person = 1000 - i, month = months, usual = rnorm(1, 5, 1.2))
}))
n <- nrow(d)
d$dose <- round(20 * rpois(n, 2) + 4 * d$usual + 2 * d$month, 2)
d$other <- rbinom(n, 1, 0.3)
d$pain <- round(d$usual + 0.1 * d$month - 0.02 * d$dose + 0.3 * d$other + rnorm(n), 4)
d$usual <- NULL
write.csv(d, "fixed_effects_rows.csv", row.names = FALSE)

numbers <- function(model, name) {
  v <- vcovCL(model, cluster = d$person, type = "HC0")[c("dose", "other"), c("dose", "other")]
  b <- coef(model)[c("dose", "other")]
  wald <- drop(t(b) %*% solve(v, b)) / 2
  data.frame(
    model = name,
    name = c("dose", "other", "var_dose", "cov", "var_other", "joint"),
    value = c(b, v[1, 1], v[1, 2], v[2, 2], pf(wald, 2, persons - 1, lower.tail = FALSE))
  )
}
reference <- rbind(
  numbers(lm(pain ~ dose + other + factor(person), d), "person"),
  numbers(lm(pain ~ dose + other + factor(person) + factor(month), d), "person and month")
)
write.csv(format(reference, digits = 15), "fixed_effects.csv", row.names = FALSE, quote = FALSE)
