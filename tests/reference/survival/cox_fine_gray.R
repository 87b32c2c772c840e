# Reference values for survival/fine_gray.py: cmprsk::crr without tied times, coxph on survival::finegray's rows with them.
# Run in this folder: Rscript cox_fine_gray.R   (writes cox_fine_gray.csv, cox_fine_gray.json)
suppressMessages({library(survival); library(cmprsk)})
control <- coxph.control(eps = 1e-14, toler.chol = 1e-15, iter.max = 60, timefix = FALSE)
number <- function(v) paste0("[", paste(formatC(v, digits = 17, format = "g"), collapse = ", "), "]")
matrix_json <- function(m) paste0("[", paste(apply(as.matrix(m), 1, number), collapse = ", "), "]")

set.seed(20261121)
n <- 300
a <- rbinom(n, 1, 0.4); b <- rnorm(n); site <- sample(c("north", "south"), n, replace = TRUE)
one <- rexp(n, 0.01 * exp(0.6 * a + 0.3 * b)); two <- rexp(n, 0.015 * exp(-0.4 * a)); lost <- rexp(n, ifelse(site == "north", 0.006, 0.015))
time <- round(pmin(one, two, lost, 150), 6)
cause <- ifelse(time == 150, 0, ifelse(one < two & one < lost, 1, ifelse(two < lost, 2, 0)))
rows <- data.frame(time, tied = ceiling(time / 5), cause, a, b, site)
write.csv(format(rows, digits = 17, trim = TRUE), "cox_fine_gray.csv", row.names = FALSE, quote = FALSE)
rows <- read.csv("cox_fine_gray.csv")

theirs <- crr(rows$time, rows$cause, rows[, c("a", "b")], gtol = 1e-12, maxiter = 50)
grouped <- crr(rows$time, rows$cause, rows[, c("a", "b")], cengroup = rows$site, gtol = 1e-12, maxiter = 50)
curve <- predict(theirs, cbind(1, 0.5))
rows$state <- factor(rows$cause, 0:2, c("censored", "one", "two"))
rows$id <- seq_len(n)
describe <- function(column, ties) {
  rows$stop <- rows[[column]]
  long <- finegray(Surv(stop, state) ~ a + b + id, rows, etype = "one", timefix = FALSE)
  fit <- coxph(Surv(fgstart, fgstop, fgstatus) ~ a + b, long, weights = fgwt, cluster = id, ties = ties, control = control)
  sprintf('{"params": %s, "covariance": %s, "robust": %s}', number(coef(fit)), matrix_json(fit$naive.var), matrix_json(fit$var))
}
writeLines(sprintf('{"crr": {"params": %s, "covariance": %s, "times": %s, "incidence": %s}, "crr_grouped": {"params": %s}, "time_breslow": %s, "tied_efron": %s, "tied_breslow": %s}',
  number(theirs$coef), matrix_json(theirs$var), number(curve[, 1]), number(curve[, 2]), number(grouped$coef),
  describe("time", "breslow"), describe("tied", "efron"), describe("tied", "breslow")),
  "cox_fine_gray.json")
