# Reference values for causal/weighted_risk.py: risks of two arms weighted by an estimated propensity score, with a
# variance that counts the score and people who are in several rows and in both arms. By hand: the whole estimate (glm,
# weights, survfit) as a function of each person's weight, its derivative by central differences of fourth order.
# Run in this folder: Rscript weighted_risk.R, half a minute (writes weighted_risk_rows.csv, weighted_risk.csv)
suppressMessages(library(survival))
set.seed(20260402)
people <- 240
rows <- do.call(rbind, lapply(seq_len(people), function(i) {
  k <- sample(1:3, 1, prob = c(.6, .3, .1))
  data.frame(person = i, age = round(rnorm(1), 3) + 0:(k - 1) / 10, pain = rbinom(k, 1, .4))
}))
n <- nrow(rows)
rows$treated <- rbinom(n, 1, plogis(-.6 + .7 * rows$age + .5 * rows$pain))
hazard <- cbind(.012 * exp(.5 * rows$age + .5 * rows$treated), .008 * exp(.4 * rows$pain))
event <- rexp(n) / rowSums(hazard)
censored <- runif(n, 20, 120)
rows$time <- ceiling(pmin(event, censored))
rows$cause <- ifelse(event <= censored, 1 + (runif(n) > hazard[, 1] / rowSums(hazard)), 0)
write.csv(rows, "weighted_risk_rows.csv", row.names = FALSE, quote = FALSE)
rows$state <- factor(rows$cause, 0:2)
horizons <- c(15, 60)

arm <- function(chosen, w) {
  d <- rows[chosen, ]; d$w <- w[chosen]
  aj <- survfit(Surv(time, state) ~ 1, d, weights = w, se.fit = FALSE, timefix = FALSE)
  survival <- aj$pstate[, 1]
  unlist(lapply(horizons, function(tau) {
    now <- aj$time < tau
    from <- c(0, aj$time[now], tau)
    c(aj$pstate[findInterval(tau, aj$time), 2:3], sum(diff(from) * c(1, survival[now])))
  }))
}
values <- function(v, estimand) {
  d <- rows; d$v <- v[d$person]
  w <- d$v
  if (estimand != "given") {
    fit <- suppressWarnings(glm(treated ~ age + pain, binomial, d, weights = v,
                                control = glm.control(epsilon = 1e-15, maxit = 50)))
    e <- fitted(fit)
    w <- d$v * switch(estimand, overlap = ifelse(d$treated == 1, 1 - e, e), iptw = 1 / ifelse(d$treated == 1, e, 1 - e),
                      att = ifelse(d$treated == 1, 1, e / (1 - e)))
  }
  c(arm(d$treated == 0, w), arm(d$treated == 1, w))  # by arm, horizon: cause 1, cause 2, mean time
}
reference <- function(estimand) {
  one <- rep(1, people)
  influence <- t(sapply(seq_len(people), function(i) {
    step <- replace(numeric(people), i, 1e-3)
    (8 * (values(one + step, estimand) - values(one - step, estimand)) -
       (values(one + 2 * step, estimand) - values(one - 2 * step, estimand))) / 12e-3
  }))
  theta <- values(one, estimand); v <- crossprod(influence)
  do.call(rbind, lapply(seq_along(horizons), function(h) {
    at <- 3 * (h - 1)
    unit <- function(j, sign) replace(numeric(12), c(at + j, 6 + at + j), c(-1, 1) * sign)
    one_cause <- unit(1, 1); any <- one_cause + unit(2, 1); mean <- unit(3, 1)
    r <- c(sum(theta[at + 1:2]), sum(theta[6 + at + 1:2]))
    ratio <- numeric(12); ratio[at + 1:2] <- -1 / r[1]; ratio[6 + at + 1:2] <- 1 / r[2]
    share <- sum(one_cause * theta) / sum(any * theta)
    part <- (one_cause - share * any) / sum(any * theta)
    se <- function(g) sqrt(drop(g %*% v %*% g))
    arm_se <- function(j) se(replace(numeric(12), j, 1))
    data.frame(
      estimand = estimand, horizon = horizons[h],
      quantity = c("risk_1_comparators", "risk_1_treated", "difference", "difference_1", "log_ratio", "mean_time",
                   "share_1"),
      estimate = c(theta[at + 1], theta[7 + at], sum(any * theta), sum(one_cause * theta), log(r[2] / r[1]),
                   sum(mean * theta), share),
      se = c(arm_se(at + 1), arm_se(7 + at), se(any), se(one_cause), se(ratio), se(mean), se(part))
    )
  }))
}
table <- do.call(rbind, lapply(c("overlap", "iptw", "att", "given"), reference))
write.csv(format(table, digits = 17, trim = TRUE), "weighted_risk.csv", row.names = FALSE, quote = FALSE)
