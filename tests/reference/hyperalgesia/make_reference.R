# Numbers that tests/unit/test_hyperalgesia_regression.py holds the package to. Run in this folder: Rscript make_reference.R
# Writes visits.csv (the data) and reference.csv (clustered least squares by sandwich::vcovCL).
library(sandwich)
set.seed(20260101)
persons <- 60
visits <- 6
n <- persons * visits
d <- data.frame(person = rep(seq_len(persons), each = visits))
d$usual <- rep(rnorm(persons, 5, 1.2), each = visits)
d$before <- round(d$usual + rnorm(n), 3)
d$dose <- round(rgamma(n, 4, 0.08), 2)
d$escalate <- rbinom(n, 1, plogis(-1.5 + 0.45 * (d$before - 5)))
d$pain <- round(0.5 * d$before + 0.4 * d$usual + 0.004 * d$dose - 0.6 * d$escalate + rnorm(n), 4)
d$mme <- round(d$dose + 18 * d$escalate + rnorm(n, 0, 6), 3)
d$usual <- NULL
write.csv(d, "visits.csv", row.names = FALSE)

pain <- lm(pain ~ escalate + before + dose, d)
mme <- lm(mme ~ escalate + before + dose, d)
# both equations at once, so that their covariance is R's too
both <- lm(cbind(pain, mme) ~ escalate + before + dose, d)
# (HC1 would count the coefficients of both; each equation has four)
v <- vcovCL(both, cluster = d$person, type = "HC0") * (n - 1) / (n - 4)
name <- c("pain:escalate", "mme:escalate")
v <- v[name, name]
stopifnot(all.equal(v[1, 1], vcovCL(pain, cluster = d$person, type = "HC1")["escalate", "escalate"]))
est <- c(coef(pain)["escalate"], coef(mme)["escalate"])
crit <- qt(0.975, persons - 1)
reference <- data.frame(
  name = c("pain", "mme", "var_pain", "var_mme", "cov", "critical", "p_pain"),
  value = c(est, v[1, 1], v[2, 2], v[1, 2], crit, 2 * pt(-abs(est[1]) / sqrt(v[1, 1]), persons - 1))
)
write.csv(format(reference, digits = 15), "reference.csv", row.names = FALSE, quote = FALSE)
