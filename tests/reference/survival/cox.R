# Reference values for survival/cox.py: R survival::coxph on `heart`, on `pbcseq` (laboratory values that change with each
# visit) and on simulated rows with everything at once.
# Run in this folder: Rscript cox.R   (writes heart.csv, pbcseq.csv, simulated.csv, cox.json)
suppressMessages(library(survival))
control <- coxph.control(eps = 1e-14, toler.chol = 1e-14, iter.max = 60, timefix = FALSE)
number <- function(v) paste0("[", paste(formatC(v, digits = 17, format = "g"), collapse = ", "), "]")
matrix_json <- function(m) paste0("[", paste(apply(as.matrix(m), 1, number), collapse = ", "), "]")

heart_rows <- data.frame(
  id = heart$id, start = heart$start, stop = heart$stop, event = heart$event, age = heart$age,
  year = heart$year, surgery = heart$surgery, transplant = as.integer(heart$transplant == 1)
)
write.csv(heart_rows, "heart.csv", row.names = FALSE)

visits <- pbcseq[order(pbcseq$id, pbcseq$day), ]
following <- c(visits$id[-1], -1) == visits$id
pbc_rows <- data.frame(
  id = visits$id, start = visits$day, stop = ifelse(following, c(visits$day[-1], NA), visits$futime),
  event = as.integer(!following & visits$status == 2), age = visits$age, log_bili = log(visits$bili),
  log_protime = log(visits$protime), edema = visits$edema, albumin = visits$albumin
)
pbc_rows <- pbc_rows[pbc_rows$start < pbc_rows$stop, ]
write.csv(format(pbc_rows, digits = 15, trim = TRUE), "pbcseq.csv", row.names = FALSE, quote = FALSE)
pbc_rows <- read.csv("pbcseq.csv")

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
  stratum <- if (is.null(hazard$strata)) rep(1, nrow(hazard)) else hazard$strata
  jumps <- unlist(tapply(hazard$hazard, stratum, function(h) diff(c(0, h)) > 0))
  wald <- function(v) as.numeric(coef(fit) %*% solve(v, coef(fit)))
  tests <- c(2 * diff(fit$loglik), wald(model), wald(crossprod(robust)), fit$score)
  zph <- lapply(c(km = "km", log = "log", identity = "identity"), function(g) cox.zph(fit, g)$table)
  sprintf('"%s": {"params": %s, "covariance": %s, "robust": %s, "loglik": %s, "martingale": %s, "score": %s, "dfbeta": %s, "schoenfeld": %s, "scaled_schoenfeld": %s, "times": %s, "hazard": %s, "tests": %s, "zph": {%s}}',
    name, number(coef(fit)), matrix_json(model), matrix_json(crossprod(robust)), number(fit$loglik),
    number(some(resid(fit, "martingale"))), matrix_json(some(resid(fit, "score"))),
    matrix_json(some(resid(fit, "dfbeta", weighted = TRUE))), matrix_json(some(resid(fit, "schoenfeld"))),
    matrix_json(some(resid(fit, "scaledsch"))), number(hazard$time[jumps]), number(hazard$hazard[jumps]), number(tests),
    paste(sprintf('"%s": %s', names(zph), vapply(zph, matrix_json, "")), collapse = ", "))
}
fits <- list()
for (ties in c("efron", "breslow")) {
  heart_fit <- coxph(Surv(start, stop, event) ~ age + year + surgery + transplant, heart_rows, ties = ties,
                     cluster = id, control = control)
  fits <- c(fits, describe(paste0("heart_", ties), heart_fit, heart_rows$id))
  pbc_fit <- coxph(Surv(start, stop, event) ~ age + log_bili + log_protime + edema + albumin, pbc_rows, ties = ties,
                   cluster = id, control = control)
  fits <- c(fits, describe(paste0("pbcseq_", ties), pbc_fit, pbc_rows$id))
  plain <- coxph(Surv(start, stop, event) ~ x + a + b, rows, ties = ties, control = control)
  fits <- c(fits, describe(paste0("plain_", ties), plain))
  everything <- coxph(Surv(start, stop, event) ~ x + a + b + strata(stratum) + offset(offset), rows, weights = weight,
                      cluster = id, ties = ties, control = control)
  fits <- c(fits, describe(paste0("everything_", ties), everything, rows$id))
}
writeLines(paste0("{", paste(unlist(fits), collapse = ",\n"), "}"), "cox.json")
