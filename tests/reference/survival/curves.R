# Reference values for survival/kaplan_meier.py and survival/survey.py on simulated.csv (see cox.R, which writes it).
# Run in this folder: Rscript curves.R   (writes kaplan_meier.csv, survey.json)
suppressMessages({library(survival); library(survey)})
rows <- read.csv("simulated.csv")

# a group that changes with the covariate, so that people enter and leave it
rows$group <- ifelse(rows$x > 0, "high", "low")
curve <- function(kind, weights) {
  fit <- survfit(Surv(start, stop, event) ~ group, rows, weights = weights, robust = FALSE, conf.type = "log-log",
                 timefix = FALSE, id = id)
  s <- summary(fit, censored = FALSE)
  data.frame(kind = kind, group = sub("group=", "", as.character(s$strata)), day = s$time, survival = s$surv,
             std_err = s$std.err, ci_low = s$lower, ci_high = s$upper, n_risk = s$n.risk, n_event = s$n.event)
}
curves <- rbind(curve("plain", rep(1, nrow(rows))), curve("weighted", rows$weight))
write.csv(format(curves, digits = 17, trim = TRUE), "kaplan_meier.csv", row.names = FALSE, quote = FALSE)

# a sample of sites (units) within regions (strata); site 12 is made a region of its own, a stratum with one unit
number <- function(v) paste0("[", paste(formatC(v, digits = 17, format = "g"), collapse = ", "), "]")
matrix_json <- function(m) paste0("[", paste(apply(as.matrix(m), 1, number), collapse = ", "), "]")
control <- coxph.control(eps = 1e-14, iter.max = 60, timefix = FALSE)
describe <- function(name, design) {
  fit <- svycoxph(Surv(start, stop, event) ~ x + a + b, design, control = control)
  sprintf('"%s": {"params": %s, "covariance": %s}', name, number(coef(fit)), matrix_json(vcov(fit)))
}
options(survey.lonely.psu = "adjust")
rows$region <- ifelse(rows$site == 12, 9, rows$site %% 4)
designs <- list(
  stratified = svydesign(ids = ~site, strata = ~region, weights = ~weight, data = rows, nest = TRUE),
  unstratified = svydesign(ids = ~site, weights = ~weight, data = rows)
)
rows$region <- rows$site %% 4
designs$no_lonely <- svydesign(ids = ~site, strata = ~region, weights = ~weight, data = rows, nest = TRUE)
writeLines(paste0("{", paste(mapply(describe, names(designs), designs), collapse = ",\n"), "}"), "survey.json")
