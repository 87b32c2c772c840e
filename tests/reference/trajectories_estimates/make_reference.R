# Reference values for survival/aalen_johansen.py, survival/multinomial.py, trajectories/drift.py and
# trajectories/long_term_use.py.
# Run in this folder: Rscript make_reference.R   (R 4.2, survival 3.5-3, nnet 7.3-18, sandwich 3.0-2)
suppressMessages({library(survival); library(nnet); library(sandwich)})
RNGkind("Mersenne-Twister", "Inversion", "Rejection")
exact <- function(frame, file) write.csv(format(frame, digits = 17, trim = TRUE), file, row.names = FALSE, quote = FALSE)

# competing events, many ties, weights
set.seed(3)
n <- 300
people <- data.frame(time = pmax(1, ceiling(rexp(n) * 40)), cause = sample(0:3, n, TRUE, c(.35, .35, .2, .1)),
                     weight = round(rexp(n) + .1, 3))
exact(people, "competing.csv")
curve <- function(kind, weights) {
  fit <- survfit(Surv(time, factor(cause, 0:3)) ~ 1, people, weights = weights)
  k <- length(fit$time)
  data.frame(kind = kind, time = rep(fit$time, 3), cause = rep(1:3, each = k),
             incidence = as.vector(fit$pstate[, 2:4]), se = as.vector(fit$std.err[, 2:4]))
}
exact(suppressWarnings(rbind(curve("plain", rep(1, n)), curve("weighted", people$weight))), "aalen_johansen.csv")
# neither cause 1 nor 3: what their incidences leave of 1; its error from everybody's influence on the two, added up
fit <- survfit(Surv(time, factor(cause, 0:3)) ~ 1, cbind(people, id = 1:n), id = id, influence = TRUE)
influence <- fit$influence.pstate[, , 2] + fit$influence.pstate[, , 4]
influence <- influence[, (ncol(influence) - length(fit$time) + 1):ncol(influence)]
exact(data.frame(time = fit$time, share = 1 - fit$pstate[, 2] - fit$pstate[, 4], se = sqrt(colSums(influence^2))),
      "neither.csv")

# three classes, everybody in each with a posterior probability
set.seed(4)
n <- 400
x <- data.frame(age = round(rnorm(n, 55, 12)), fibromyalgia = rbinom(n, 1, .3), depression = rbinom(n, 1, .4))
eta <- cbind(0, -1 + .02 * (x$age - 55) + .8 * x$fibromyalgia, -1.5 + .5 * x$fibromyalgia + .6 * x$depression)
class <- apply(eta, 1, function(e) sample(1:3, 1, prob = exp(e)))
score <- matrix(rexp(3 * n, 3), n, 3)
score[cbind(1:n, class)] <- score[cbind(1:n, class)] + 1
posterior <- round(score / rowSums(score), 4)
posterior[, 1] <- 1 - posterior[, 2] - posterior[, 3]
colnames(posterior) <- paste0("posterior_", 1:3)
exact(cbind(x, posterior), "classes.csv")
classes <- read.csv("classes.csv")
posterior <- as.matrix(classes[, 4:6])
rows <- classes[rep(1:n, each = 3), 1:3]
rows$class <- factor(rep(1:3, n))
rows$weight <- as.vector(t(posterior))
fit <- multinom(class ~ age + fibromyalgia + depression, rows, weights = weight, reltol = 1e-16, abstol = 1e-16,
                maxit = 5000, trace = FALSE)
# sandwich by hand, clustered by person: the scores of a person's three rows added up
design <- model.matrix(~ age + fibromyalgia + depression, classes)
probability <- predict(fit, classes, type = "probs")
score <- do.call(cbind, lapply(2:3, function(k) design * (posterior[, k] - probability[, k])))
information <- do.call(rbind, lapply(2:3, function(a) do.call(cbind, lapply(2:3, function(b)
  t(design) %*% (design * probability[, a] * ((a == b) - probability[, b]))))))
bread <- solve(information)
robust <- bread %*% crossprod(score) %*% bread
exact(data.frame(class = rep(2:3, each = 4), term = rep(colnames(design), 2), params = as.vector(t(coef(fit))),
                 se = sqrt(diag(bread)), robust_se = sqrt(diag(robust))), "multinomial.csv")

# two classes: glm with weights and HC0
set.seed(5)
weight <- round(runif(n, .5, 2), 3)
met <- rbinom(n, 1, plogis(-1 + .02 * (x$age - 55) + .7 * x$fibromyalgia))
exact(cbind(x, met, weight), "logistic_rows.csv")
logistic <- suppressWarnings(glm(met ~ age + fibromyalgia + depression, binomial, cbind(x, met), weights = weight,
                                 control = glm.control(epsilon = 1e-15, maxit = 100)))
exact(data.frame(term = names(coef(logistic)), params = coef(logistic),
                 robust_se = sqrt(diag(vcovHC(logistic, type = "HC0")))), "logistic.csv")

# individual slopes of dose: lm by person, then the mean
set.seed(6)
persons <- 40
months <- do.call(rbind, lapply(1:persons, function(i) {
  month <- sort(sample(0:23, sample(4:20, 1)))
  data.frame(person_id = i, month = month, mme = round(pmax(1, rnorm(1, 60, 20) + rnorm(1, .5, .6) * month +
                                                             rnorm(length(month), 0, 6)), 3))
}))
exact(months, "months.csv")
years <- months$month * 30 / 365.25
kept <- Filter(function(i) sum(months$person_id == i) >= 6, 1:persons)
fits <- lapply(kept, function(i) lm(mme ~ years, data.frame(mme = months$mme, years = years)[months$person_id == i, ]))
slopes <- sapply(fits, function(f) coef(f)[[2]])
within <- sapply(fits, function(f) vcov(f)[2, 2])
mean_of <- summary(lm(slopes ~ 1))$coefficients
limits <- confint(lm(slopes ~ 1))
exact(data.frame(persons = length(kept), estimate = mean_of[1], se = mean_of[2], p_value = mean_of[4],
                 ci_low = limits[1], ci_high = limits[2], between_sd = sqrt(max(0, var(slopes) - mean(within)))),
      "drift.csv")

# logistic regression weighted by the inverse probability of not being censored before the outcome is known
set.seed(8)
n <- 500
exposed <- rbinom(n, 1, .5)
event <- rexp(n, ifelse(exposed == 1, .004, .002))
censored <- runif(n, 50, 800)
time <- ceiling(pmin(event, censored, 365))
outcome <- ifelse(event <= pmin(censored, 365), 1, ifelse(censored < 365, NA, 0))
left <- as.integer(is.na(outcome))
exact(data.frame(time = time, outcome = outcome, left = left, exposed = exposed), "censored.csv")
known <- survfit(Surv(time, left) ~ 1, timefix = FALSE)
before <- sapply(time, function(t) min(c(1, known$surv[known$time < t])))
told <- !is.na(outcome)
frame <- data.frame(outcome = outcome, exposed = exposed)[told, ]
weighted <- suppressWarnings(glm(outcome ~ exposed, binomial, frame, weights = (1 / before)[told],
                                 control = glm.control(epsilon = 1e-15, maxit = 100)))
exact(data.frame(term = names(coef(weighted)), params = coef(weighted),
                 robust_se = sqrt(diag(vcovHC(weighted, type = "HC0")))), "censored_logistic.csv")
