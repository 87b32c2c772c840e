# Reference values for causal/propensity.py: weighted contrasts by R survey with weights from glm, by hand.
# Run in this folder: Rscript propensity.R   (writes propensity.csv, propensity.json)
suppressMessages(library(survey))
set.seed(20261121)
n <- 600
rows <- data.frame(age = round(rnorm(n, 50, 10), 1), pain = round(runif(n, 0, 10), 1), sex = rbinom(n, 1, 0.6))
rows$treated <- rbinom(n, 1, plogis(-3 + 0.03 * rows$age + 0.2 * rows$pain - 0.4 * rows$sex))
rows$y <- round(2 * rows$treated + 0.05 * rows$age + 0.3 * rows$pain + rnorm(n), 3)
write.csv(rows, "propensity.csv", row.names = FALSE)
e <- fitted(glm(treated ~ age + pain + sex, binomial, rows, control = glm.control(epsilon = 1e-15, maxit = 100)))
p <- mean(rows$treated)
z <- rows$treated == 1
weights <- list(
  overlap = ifelse(z, 1 - e, e), iptw = ifelse(z, p / e, (1 - p) / (1 - e)), att = ifelse(z, 1, e / (1 - e))
)
number <- function(v) paste0("[", paste(formatC(v, digits = 17, format = "g"), collapse = ", "), "]")
text <- sapply(names(weights), function(name) {
  design <- svydesign(~1, weights = weights[[name]], data = rows)
  contrast <- coef(svyglm(y ~ treated, design))[["treated"]]
  w <- weights[[name]]
  ess <- c(sum(w[!z])^2 / sum(w[!z]^2), sum(w[z])^2 / sum(w[z]^2))
  paste0('"', name, '": {"every_ninth": ', number(w[seq(1, n, 9)]), ', "contrast": ', number(contrast),
    ', "ess": ', number(ess), "}")
})
preference <- plogis(qlogis(e) - qlogis(p))
more <- c(
  paste0('"equipoise": ', number(mean(preference >= 0.3 & preference <= 0.7))),
  paste0('"preference": ', number(preference[seq(1, n, 9)])),
  paste0('"mdrr": ', number(exp((qnorm(0.975) + qnorm(0.8)) / sqrt(120 * p * (1 - p))))),
  paste0('"outside": ', number(mean(e < 0.15 | e > 0.6)))
)
writeLines(paste0("{\n", paste(c(text, more), collapse = ",\n"), "\n}"), "propensity.json")
