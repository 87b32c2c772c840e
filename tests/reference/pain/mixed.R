# Reference values for pain/mixed.py: lme4 by REML with a random intercept, and with a random slope beside it.
# Run in this folder: Rscript mixed.R   (writes mixed_rows.csv, mixed.json)
suppressMessages(library(lme4))
set.seed(20261120)
rows <- do.call(rbind, lapply(seq_len(120), function(i) {
  k <- sample(3:9, 1)
  time <- sort(round(runif(k, -0.25, 2), 4))
  pain <- 5 - 0.4 * (time >= 0) + rnorm(1) + rnorm(1, 0, 0.6) * time + rnorm(k, 0, 0.8)
  data.frame(person = i, time = time, off = as.numeric(time >= 0), later = as.numeric(time >= 0.5), pain = round(pain, 4))
}))
write.csv(rows, "mixed_rows.csv", row.names = FALSE)
exact <- lmerControl(optimizer = "bobyqa", optCtrl = list(rhoend = 1e-12, maxfun = 1e5), calc.derivs = FALSE)
one <- lmer(pain ~ off + later + (1 | person), rows, REML = TRUE, control = exact)
two <- lmer(pain ~ off + later + (1 + time | person), rows, REML = TRUE, control = exact)
number <- function(v) paste0("[", paste(formatC(as.numeric(v), digits = 17, format = "g"), collapse = ", "), "]")
entries <- list(intercept = fixef(one), intercept_se = sqrt(diag(as.matrix(vcov(one)))),
  slope = fixef(two), slope_se = sqrt(diag(as.matrix(vcov(two)))))
writeLines(paste0("{\n", paste0('"', names(entries), '": ', sapply(entries, number), collapse = ",\n"), "\n}"), "mixed.json")
