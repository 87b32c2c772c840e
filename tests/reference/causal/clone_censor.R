# Weighted curves of the clones of two strategies, given their weights, and the standard errors of their contrasts from
# the infinitesimal jackknife by person, who has a clone in each.
# Rscript clone_censor.R  (reads clone_censor_rows.csv, writes clone_censor.csv)
library(survival)
rows <- read.csv("clone_censor_rows.csv")
horizons <- c(90, 180, 360)
people <- sort(unique(rows$person))
of <- function(name) {
  clones <- rows[rows$strategy == name, ]
  fit <- survfit(Surv(start, stop, event) ~ 1, data = clones, weights = weight, id = person, influence = 1,
                 timefix = FALSE)
  at <- findInterval(horizons, fit$time)
  place <- match(sort(unique(clones$person)), people)
  influence <- matrix(0, length(people), 3)
  influence[place, ] <- fit$influence.surv[, at]
  # restricted mean: integral of the curve, and of each person's influence on it
  mean <- sapply(horizons, function(h) {
    times <- c(0, fit$time[fit$time < h], h)
    sum(diff(times) * c(1, fit$surv[fit$time < h]))
  })
  spent <- matrix(0, length(people), 3)
  for (j in 1:3) {
    times <- c(0, fit$time[fit$time < horizons[j]], horizons[j])
    spent[place, j] <- cbind(0, fit$influence.surv[, fit$time < horizons[j], drop = FALSE]) %*% diff(times)
  }
  list(risk = 1 - fit$surv[at], mean = mean, influence = -influence, spent = spent)
}
stay <- of("stay")
never <- of("never")
log_ratio <- sweep(stay$influence, 2, stay$risk, "/") - sweep(never$influence, 2, never$risk, "/")
found <- data.frame(
  horizon = horizons, risk_stay = stay$risk, risk_never = never$risk,
  difference = stay$risk - never$risk, difference_se = sqrt(colSums((stay$influence - never$influence)^2)),
  ratio = stay$risk / never$risk, log_ratio_se = sqrt(colSums(log_ratio^2)),
  days = stay$mean - never$mean, days_se = sqrt(colSums((stay$spent - never$spent)^2))
)
write.csv(format(found, digits = 15), "clone_censor.csv", row.names = FALSE, quote = FALSE)
