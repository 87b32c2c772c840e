# Numbers for test_meta_analysis.py: metafor's REML with Hartung-Knapp and its common-effect model.
# Run: Rscript meta_analysis.R > meta_analysis.json
suppressMessages(library(metafor))
number <- function(x) formatC(x, digits = 15, format = "g")
sets <- list(
  spread = list(y = c(0.47, 0.62, 0.10, 0.95), s = c(0.12, 0.20, 0.15, 0.30)),
  three  = list(y = c(-0.31, 0.05, 0.22), s = c(0.10, 0.14, 0.22)),
  agree  = list(y = c(0.50, 0.52, 0.49, 0.51, 0.50), s = c(0.10, 0.20, 0.15, 0.12, 0.30))
)
rows <- character()
for (name in names(sets)) {
  x <- sets[[name]]
  fit <- rma(x$y, sei = x$s, method = "REML", test = "adhoc", control = list(threshold = 1e-12, maxiter = 1000))
  ahead <- predict(fit)
  rows <- c(rows, sprintf(
    '  "%s": {"y": [%s], "s": [%s], "estimate": %s, "se": %s, "ci_low": %s, "ci_high": %s, "tau2": %s, "i2": %s, "pi_low": %s, "pi_high": %s}',
    name, paste(number(x$y), collapse = ", "), paste(number(x$s), collapse = ", "), number(fit$b[1]), number(fit$se),
    number(fit$ci.lb), number(fit$ci.ub), number(fit$tau2), number(fit$I2 / 100), number(ahead$pi.lb), number(ahead$pi.ub)))
}
y <- c(0.47, 0.62); s <- c(0.12, 0.20)
fixed <- rma(y, sei = s, method = "EE")
rows <- c(rows, sprintf('  "two": {"y": [0.47, 0.62], "s": [0.12, 0.20], "estimate": %s, "se": %s, "ci_low": %s, "ci_high": %s}',
  number(fixed$b[1]), number(fixed$se), number(fixed$ci.lb), number(fixed$ci.ub)))
cat("{\n", paste(rows, collapse = ",\n"), "\n}\n", sep = "")
