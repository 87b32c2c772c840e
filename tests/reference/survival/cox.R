# Reference values for survival/cox.py: R survival::coxph on `heart` and on simulated rows with everything at once.
# Run in this folder: Rscript cox.R   (writes heart.csv, simulated.csv, cox.json)
suppressMessages(library(survival))
control <- coxph.control(eps = 1e-14, toler.chol = 1e-14, iter.max = 60, timefix = FALSE)
number <- function(v) paste0("[", paste(formatC(v, digits = 17, format = "g"), collapse = ", "), "]")
matrix_json <- function(m) paste0("[", paste(apply(as.matrix(m), 1, number), collapse = ", "), "]")

heart_rows <- data.frame(
  id = heart$id, start = heart$start, stop = heart$stop, event = heart$event, age = heart$age,
  year = heart$year, surgery = heart$surgery, transplant = as.integer(heart$transplant == 1)
)
write.csv(heart_rows, "heart.csv", row.names = FALSE)

set.seed(20261120)
persons <- 400
simulate_person <- function(i) {
  rows <- sample(1:4, 1)
  cuts <- cumsum(c(sample(0:20, 1), sample(1:25, rows, replace = TRUE)))
  a <- rnorm(1); b <- rbinom(1, 1, 0.3)
  x <- pmax(0, a + rnorm(rows))
  site <- sample(1:12, 1)
  stratum <- sample(c("north", "south", "west"), 1)
  weight <- exp(rnorm(1, sd = 0.5))
  offset <- 0.3 * rnorm(1)
  hazard <- 0.012 * exp(0.5 * x + 0.7 * b - 0.2 * a + offset)
  died <- runif(rows) < 1 - exp(-hazard * diff(cuts))
  last <- if (any(died)) which(died)[1] else rows
  keep <- seq_len(last)
  data.frame(id = i, start = cuts[keep], stop = cuts[keep + 1], event = as.integer(died[keep]), x = x[keep], a = a, b = b,
             site = site, stratum = stratum, weight = weight, offset = offset)
}
rows <- do.call(rbind, lapply(seq_len(persons), simulate_person))
write.csv(format(rows, digits = 17, trim = TRUE), "simulated.csv", row.names = FALSE, quote = FALSE)
rows <- read.csv("simulated.csv")

some <- function(m) if (is.matrix(m)) m[seq(1, nrow(m), by = 9), , drop = FALSE] else m[seq(1, length(m), by = 9)]
describe <- function(name, fit, cluster = NULL) {
  robust <- resid(fit, "dfbeta", weighted = TRUE)
  robust <- as.matrix(robust)
  if (!is.null(cluster)) robust <- rowsum(robust, cluster)
  model <- if (is.null(fit$naive.var)) fit$var else fit$naive.var
  hazard <- basehaz(fit, centered = FALSE)
  zph <- lapply(c(km = "km", log = "log", identity = "identity"), function(g) cox.zph(fit, g)$table)
  sprintf('"%s": {"params": %s, "covariance": %s, "robust": %s, "loglik": %s, "martingale": %s, "score": %s, "dfbeta": %s, "schoenfeld": %s, "last_hazard": %s, "zph": {%s}}',
    name, number(coef(fit)), matrix_json(model), matrix_json(crossprod(robust)), number(fit$loglik),
    number(some(resid(fit, "martingale"))), matrix_json(some(resid(fit, "score"))),
    matrix_json(some(resid(fit, "dfbeta", weighted = TRUE))), matrix_json(some(resid(fit, "schoenfeld"))),
    number(if (is.null(hazard$strata)) tail(hazard$hazard, 1) else tapply(hazard$hazard, hazard$strata, max)),
    paste(sprintf('"%s": %s', names(zph), vapply(zph, matrix_json, "")), collapse = ", "))
}
fits <- list()
for (ties in c("efron", "breslow")) {
  heart_fit <- coxph(Surv(start, stop, event) ~ age + year + surgery + transplant, heart_rows, ties = ties,
                     cluster = id, control = control)
  fits <- c(fits, describe(paste0("heart_", ties), heart_fit, heart_rows$id))
  plain <- coxph(Surv(start, stop, event) ~ x + a + b, rows, ties = ties, control = control)
  fits <- c(fits, describe(paste0("plain_", ties), plain))
  everything <- coxph(Surv(start, stop, event) ~ x + a + b + strata(stratum) + offset(offset), rows, weights = weight,
                      cluster = id, ties = ties, control = control)
  fits <- c(fits, describe(paste0("everything_", ties), everything, rows$id))
}
writeLines(paste0("{", paste(unlist(fits), collapse = ",\n"), "}"), "cox.json")
