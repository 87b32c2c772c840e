# Reference values on real people: hazard ratios of death, opioid users against non users at the NHANES interview.
# Run in this folder: Rscript nhanes.R <path of nhanes_1999_2014_rx_mortality.csv.gz>   (writes nhanes.json: no rows)
# Interview: 11,519 adults of 20 and over with arthritis and linked follow-up, unweighted, SE robust by person.
# Examined: those with an examination weight, svycoxph; the numbers of both are kept to full precision.
suppressMessages({library(survival); library(survey)})
everybody <- read.csv(commandArgs(TRUE)[1], na.strings = "")
people <- subset(everybody, RIDAGEYR >= 20 & MCQ160A == "Yes" & !is.na(mortstat))
control <- coxph.control(eps = 1e-14, iter.max = 60, timefix = FALSE)

full <- c("SMOKING_HARMONIZED", "BPQ020", "LIPIDEM_HARMONIZED", "MCQ160F", "MCQ160E", "MCQ160B", "DIQ010",
          "PULMOND_HARMONIZED", "MCQ160L", "KIDNEYD_HARMONIZED", "MCQ220", "HUQ010", "benzodiazepines", "ssris",
          "antidepressants", "antidepres_othr", "antipsychotics", "muscle_relax", "anticonvulsant", "RIDRETH1")
people$user <- as.integer(people$opioids == "Yes")
for (name in full) people[[name]] <- factor(ifelse(is.na(people[[name]]), "missing", people[[name]]))
people$income_missing <- as.integer(is.na(people$INDFMPIR))
people$income <- ifelse(is.na(people$INDFMPIR), 0, people$INDFMPIR)
people <- subset(people, !is.na(user))
varying <- Filter(function(name) length(unique(people[[name]])) > 1, full)  # tricyclics: nobody
formulas <- list(
  crude = ~ user,
  adjusted = ~ user + RIDAGEYR + RIAGENDR,
  adjusted_full = reformulate(c("user", "RIDAGEYR", "RIAGENDR", varying, "income", "income_missing"))
)
number <- function(v) formatC(v, digits = 17, format = "g")
result <- list()
for (method in names(formulas)) {
  rows <- transform(people, time = round(permth_int * 30.4375) + 1)
  fit <- coxph(update(formulas[[method]], Surv(time, mortstat) ~ .), rows, cluster = SEQN, ties = "efron", control = control)
  result <- c(result, sprintf('"interview_%s": {"persons": %d, "deaths": %d, "log_hr": %s, "se": %s, "naive_se": %s}', method, nrow(rows),
    sum(rows$mortstat), number(coef(fit)["user"]), number(sqrt(fit$var[1, 1])), number(sqrt(fit$naive.var[1, 1]))))
  seen <- transform(subset(people, WTMEC2YR > 0), time = round(permth_exm * 30.4375) + 1)
  # svycoxph stops at columns that say nothing new (the same people miss several answers): leave those out
  columns <- model.matrix(formulas[[method]], seen)[, -1, drop = FALSE]
  first <- coxph(Surv(seen$time, seen$mortstat) ~ columns, weights = seen$WTMEC2YR, control = control)
  seen$columns <- columns[, !is.na(coef(first)), drop = FALSE]
  design <- svydesign(ids = ~SDMVPSU, strata = ~SDMVSTRA, weights = ~ I(WTMEC2YR / 8), nest = TRUE, data = seen)
  weighted <- svycoxph(Surv(time, mortstat) ~ columns, design, control = control)
  result <- c(result, sprintf('"examined_%s": {"persons": %d, "deaths": %d, "log_hr": %s, "se": %s}', method, nrow(seen),
    sum(seen$mortstat), number(coef(weighted)[1]), number(sqrt(vcov(weighted)[1, 1]))))
}
writeLines(paste0("{", paste(unlist(result), collapse = ",\n"), "}"), "nhanes.json")
