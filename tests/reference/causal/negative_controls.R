# Reference values for causal/negative_controls.py: the likelihood of Schuemie et al. 2014, maximised by optim.
# Run in this folder: Rscript negative_controls.R   (writes negative_controls.csv, negative_controls.json)
set.seed(20261120)
controls <- rbind(
  data.frame(set = "biased", se = round(runif(30, 0.05, 0.4), 6), mu = 0.25, sigma = 0.15),
  data.frame(set = "few", se = round(runif(5, 0.1, 0.3), 6), mu = -0.1, sigma = 0.2),
  data.frame(set = "no_spread", se = round(runif(25, 0.2, 0.5), 6), mu = 0.3, sigma = 0)
)
controls$log_ratio <- round(rnorm(nrow(controls), controls$mu, sqrt(controls$sigma^2 + ifelse(controls$set == "no_spread", 0.3, 1) * controls$se^2)), 6)
write.csv(controls[, c("set", "log_ratio", "se")], "negative_controls.csv", row.names = FALSE, quote = FALSE)

number <- function(v) formatC(v, digits = 17, format = "g")
describe <- function(rows) {
  loss <- function(theta) {
    variance <- theta[2]^2 + rows$se^2
    0.5 * sum(log(variance) + (rows$log_ratio - theta[1])^2 / variance)
  }
  best <- optim(c(mean(rows$log_ratio), 0.1), loss, method = "BFGS", control = list(reltol = 1e-16, maxit = 10000))
  for (i in 1:3) best <- optim(best$par, loss, method = "Nelder-Mead", control = list(reltol = 1e-16, maxit = 10000))
  mu <- best$par[1]
  sigma <- abs(best$par[2])
  # METHODS C7: the example of the package, RR 2.08
  y <- 0.7326
  se <- 0.0737
  z <- (y - mu) / sqrt(sigma^2 + se^2)
  ease <- if (sigma < 1e-5) abs(mu) else
    integrate(function(x) abs(x) * dnorm(x, mu, sigma), mu - 12 * sigma, mu + 12 * sigma, rel.tol = 1e-12, subdivisions = 1000)$value
  sprintf('{"mu": %s, "sigma": %s, "minimum": %s, "p": %s, "low": %s, "high": %s, "ease": %s}', number(mu), number(sigma),
          number(best$value), number(2 * min(pnorm(z), 1 - pnorm(z))), number(y - mu - qnorm(0.975) * sqrt(sigma^2 + se^2)),
          number(y - mu + qnorm(0.975) * sqrt(sigma^2 + se^2)), number(ease))
}
sets <- unique(controls$set)
writeLines(paste0("{", paste(sprintf('"%s": %s', sets, sapply(sets, function(set) describe(controls[controls$set == set, ]))), collapse = ",\n"), "}"), "negative_controls.json")
