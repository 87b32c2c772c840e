# Reference values for causal/time_varying_weights.py and causal/marginal_structural.py: R glm for the weights, coxph with
# cluster for the weighted Cox model, glm(cloglog) and sandwich::vcovCL for the pooled one, risks by brute force.
# Run in this folder: Rscript marginal_structural.R   (writes marginal_structural.csv, marginal_structural_weights.csv,
# marginal_structural.json)
suppressMessages({library(survival); library(sandwich); library(splines)})
set.seed(20)
n <- 500; periods <- 10
rows <- list()
age <- round(rnorm(n, 0, 1), 3); female <- rbinom(n, 1, 0.5)
past <- rep(0, n); l <- rnorm(n); alive <- rep(TRUE, n)
for (k in 0:(periods - 1)) {
  l <- round(0.7 * l + 0.5 * past + rnorm(n, 0, 0.7), 3)
  a <- rbinom(n, 1, plogis(-1 + 2.2 * past + 0.6 * l + 0.3 * age))
  died <- rbinom(n, 1, plogis(-4 + 0.5 * a + 0.6 * l + 0.3 * age))
  lost <- ifelse(died == 1, 0, rbinom(n, 1, plogis(-3.5 + 0.5 * l - 0.4 * a)))
  stop <- 30 * k + ifelse(died == 1 | lost == 1, sample(1:30, n, TRUE), 30)
  rows[[k + 1]] <- data.frame(id = 1:n, period = k, stop, a, past, l, age, female, died, lost)[alive, ]
  alive <- alive & died == 0 & lost == 0
  past <- a
}
d <- do.call(rbind, rows); d <- d[order(d$id, d$period), ]; rownames(d) <- NULL
d$start <- 30 * d$period
write.csv(d, "marginal_structural.csv", row.names = FALSE)
tight <- glm.control(epsilon = 1e-14, maxit = 100)
logistic <- function(f, rows) fitted(glm(f, binomial, rows, control = tight))
within <- function(x) ave(x, d$id, FUN = cumprod)

factor <- rep(1, nrow(d))
for (s in 0:1) {
  i <- d$past == s; r <- d[i, ]
  above <- logistic(a ~ ns(period, knots = c(3, 6), Boundary.knots = c(0, 9)) + age + female, r)
  below <- logistic(a ~ ns(period, knots = c(3, 6), Boundary.knots = c(0, 9)) + age + female + l, r)
  factor[i] <- ifelse(r$a == 1, above / below, (1 - above) / (1 - below))
}
stay <- (1 - logistic(lost ~ period + a + past + age + female, d)) / (1 - logistic(lost ~ period + a + past + age + female + l, d))
treat <- within(factor)
censor <- ave(stay, d$id, FUN = function(x) cumprod(c(1, x[-length(x)])))
w <- treat * censor
write.csv(data.frame(treatment = treat, censoring = censor), "marginal_structural_weights.csv", row.names = FALSE)

cox <- coxph(Surv(start, stop, died) ~ a + age + female, d, weights = w, cluster = id, ties = "efron",
             control = coxph.control(eps = 1e-14, toler.chol = 1e-14, iter.max = 60))
d$lived <- ifelse(d$died == 1, 30, d$stop - d$start)
pooled <- suppressWarnings(glm(died ~ period + a + age + female + offset(log(lived / 30)), binomial("cloglog"), d,
                               weights = w, control = tight))
robust <- vcovCL(pooled, cluster = d$id, type = "HC0", cadjust = FALSE)

people <- d[d$period == 0, ]
survival <- function(beta, a, horizon) {
  h <- 0
  for (k in 0:(periods - 1)) {
    share <- min(max(horizon / 30 - k, 0), 1)
    h <- h + share * exp(beta[1] + beta[2] * k + beta[3] * a + beta[4] * people$age + beta[5] * people$female)
  }
  exp(-h)
}
rmst <- function(beta, a, horizon) {  # midpoints of a fine grid
  days <- seq(0.05, horizon - 0.05, by = 0.1)
  mean(rowSums(sapply(days, function(t) survival(beta, a, t)))) * 0.1
}
beta <- coef(pooled)
number <- function(v) paste0("[", paste(formatC(v, digits = 17, format = "g"), collapse = ", "), "]")
write_all <- c(
  cox = number(coef(cox)), cox_robust = number(as.vector(cox$var)), pooled = number(beta),
  pooled_robust = number(as.vector(robust)),
  risk = number(c(sapply(c(100, 300), function(h) mean(1 - survival(beta, 1, h))), sapply(c(100, 300), function(h) mean(1 - survival(beta, 0, h))))),
  rmst = number(c(sapply(c(100, 300), function(h) rmst(beta, 1, h)), sapply(c(100, 300), function(h) rmst(beta, 0, h)))),
  quantiles = number(quantile(w, c(0.01, 0.99)))
)
writeLines(paste0("{\n", paste0('  "', names(write_all), '": ', write_all, collapse = ",\n"), "\n}"), "marginal_structural.json")
