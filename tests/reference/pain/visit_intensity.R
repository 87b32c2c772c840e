# Reference values for causal/visit_intensity.py: coxph, and the weights of IrregLong::iiw.weights by its formula
# (exp of the null model's predictor over that of the visit model, first visit 1), then an independence GEE.
# Run in this folder: Rscript visit_intensity.R   (writes visits.csv, visit_intensity.json)
suppressMessages({library(survival); library(geepack)})
set.seed(20261120)
n <- 150
visits <- do.call(rbind, lapply(seq_len(n), function(i) {
  arm <- i %% 2
  level <- rnorm(1, 5, 1)
  day <- 0
  last <- min(10, max(0, round(level + rnorm(1), 1)))
  out <- data.frame(subject = i, arm = arm, day = 0, pain = last)
  repeat {
    day <- day + 1 + floor(rexp(1, exp(-3.6 + 0.15 * (last - 5) + 0.5 * arm)))
    if (day > 300) break
    last <- min(10, max(0, round(level - 0.5 * arm + rnorm(1), 1)))
    out <- rbind(out, data.frame(subject = i, arm = arm, day = day, pain = last))
  }
  out
}))
write.csv(visits, "visits.csv", row.names = FALSE)
rows <- do.call(rbind, lapply(split(visits, visits$subject), function(v) {
  k <- nrow(v)
  # IrregLong: lagged variables, a censored row at the end of follow-up
  data.frame(subject = v$subject[1], arm = v$arm[1], start = v$day, stop = c(v$day[-1], 300),
    event = c(rep(1, k - 1), 0), last = v$pain, lag = v$day)
}))
rows <- rows[rows$start < rows$stop, ]
exact <- coxph.control(eps = 1e-14, toler.chol = 1e-14, iter.max = 100)
full <- coxph(Surv(start, stop, event) ~ last + arm + lag + cluster(subject), rows, control = exact)
null <- coxph(Surv(start, stop, event) ~ arm + cluster(subject), rows, control = exact)
eta <- as.matrix(rows[, "arm", drop = FALSE]) %*% coef(null) - as.matrix(rows[, c("last", "arm", "lag")]) %*% coef(full)
eta <- eta[rows$event == 1]
first <- !duplicated(visits$subject)
w <- rep(1, nrow(visits))
w[!first] <- exp(eta - mean(eta))
visits$w <- w
fit <- geeglm(pain ~ arm, id = subject, data = visits, weights = w, corstr = "independence")
# weights of staying: somebody leaves for good by the last score; expected hazards by predict.coxph
left <- do.call(rbind, lapply(split(visits, visits$subject), function(v) {
  until <- 300
  leaves <- 0
  for (k in seq_len(nrow(v))) {
    gone <- v$day[k] + 1 + floor(rexp(1, 0.004 * exp(0.4 * (v$pain[k] - 5))))
    following <- if (k < nrow(v)) v$day[k + 1] else 300
    if (gone <= following && gone < 300) { until <- gone; leaves <- 1; break }
  }
  data.frame(subject = v$subject[1], until = until, leaves = leaves)
}))
write.csv(left, "leaving.csv", row.names = FALSE)
stay <- merge(visits[, c("subject", "arm", "day", "pain")], left)
stay <- stay[stay$day < stay$until, ]
stay <- stay[order(stay$subject, stay$day), ]
stay$stop <- ave(stay$day, stay$subject, FUN = function(d) c(d[-1], NA))
final <- is.na(stay$stop)
stay$stop[final] <- stay$until[final]
stay$event <- ifelse(final, stay$leaves, 0)
leave <- coxph(Surv(day, stop, event) ~ pain, stay, control = exact)
expected <- predict(leave, type = "expected")
relative <- exp(coef(leave) * (stay$pain - mean(stay$pain)))
gain <- (relative - 1) / relative * expected
log_stay <- ave(gain, stay$subject, FUN = function(g) c(0, cumsum(g)[-length(g)]))
number <- function(v) paste0("[", paste(formatC(v, digits = 17, format = "g"), collapse = ", "), "]")
entries <- list(full = coef(full), null = coef(null), robust = sqrt(diag(full$var)), weights = w[seq(1, nrow(visits), 7)],
  weighted = coef(fit), weighted_se = summary(fit)$coefficients[, "Std.err"],
  leave = coef(leave), staying = exp(log_stay)[seq(1, nrow(stay), 5)],
  plain = coef(lm(pain ~ arm, visits)))
writeLines(paste0("{\n", paste0('"', names(entries), '": ', sapply(entries, number), collapse = ",\n"), "\n}"),
  "visit_intensity.json")
