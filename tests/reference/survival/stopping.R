# Cox regression of death on days since stopping, as mortality.stopping fits it: pairs of bands, Efron ties, clustered.
# Rscript stopping.R  (reads stopping_rows.csv, writes stopping.csv)
library(survival)
rows <- read.csv("stopping_rows.csv")
found <- NULL
for (band in c("0-30", "31-90", "91-180")) {
  pair <- rows[rows$clock %in% c(band, "current supply"), ]
  pair$exposed <- as.numeric(pair$clock == band)
  for (method in c("crude", "adjusted_full")) {
    formula <- if (method == "crude") Surv(start, stop, death) ~ exposed else Surv(start, stop, death) ~ exposed + age
    fit <- coxph(formula, data = pair, cluster = person_id, ties = "efron",
                 control = coxph.control(eps = 1e-11, iter.max = 50, toler.chol = 1e-14, timefix = FALSE))
    found <- rbind(found, data.frame(band = band, method = method, log_hr = coef(fit)[["exposed"]],
                                     se = sqrt(vcov(fit)["exposed", "exposed"])))
  }
}
write.csv(format(found, digits = 15), "stopping.csv", row.names = FALSE, quote = FALSE)
