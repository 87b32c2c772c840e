# Reference values for trajectories/latent_class.py where the noise of a class is far below the spread of all values.
# Run in this folder: Rscript low_noise.R   (writes low_noise.csv, low_noise.json)
#
# levels: 4 classes at 10, 40, 80 and 120 with noise of SD 3. courses: 3 classes that rise, fall and stay, noise of SD
# 0.2 to 0.5, below 1 % of the overall SD. flexmix's driver with the divisor of maximum likelihood, as in latent_class.R;
# from the true classes and from random ones, the best kept.
suppressMessages(library(flexmix))
number <- function(v) paste0("[", paste(formatC(v, digits = 17, format = "g"), collapse = ", "), "]")
matrix_json <- function(m) paste0("[", paste(apply(as.matrix(m), 1, number), collapse = ", "), "]")

set.seed(20261121)
months <- 0:7
simulate <- function(name, curve, sigma, persons) {
  class <- rep(seq_len(nrow(curve)), length.out = persons)
  rows <- data.frame(data = name, person = rep(seq_len(persons), each = 8), month = rep(months, persons))
  rows$class <- class[rows$person]
  rows$y <- round(curve[cbind(rows$class, rows$month + 1)] + rnorm(nrow(rows), sd = sigma[rows$class]), 6)
  rows[runif(nrow(rows)) > 0.1, ]
}
levels <- simulate("levels", matrix(c(10, 40, 80, 120), 4, 8), rep(3, 4), 100)
courses <- simulate("courses", rbind(20 + 10 * months, 120 - 12 * months, 60 + 2 * months - months^2), c(0.2, 0.5, 0.3), 90)
write.csv(rbind(levels, courses)[, -4], "low_noise.csv", row.names = FALSE, quote = FALSE)

ml <- FLXMRglm()
ml@fit <- function(x, y, w, component) {
  fit <- lm.wfit(x, y, w = w)
  sigma <- sqrt(sum(w * fit$residuals^2) / sum(w))
  ml@defineComponent(para = list(coef = coef(fit), df = ncol(x) + 1, sigma = sigma))
}
control <- list(iter.max = 5000, tolerance = 1e-16, minprior = 0)
run <- function(rows, classes, ...) {
  try(flexmix(y ~ month + I(month^2) | person, data = rows, k = classes, model = ml, control = control, ...), silent = TRUE)
}
best <- function(rows, classes) {
  found <- lapply(1:30, function(i) run(rows, classes))
  if (classes == length(unique(rows$class))) found <- c(found, run(rows, classes, cluster = rows$class))
  found <- Filter(function(f) is(f, "flexmix"), found)
  found[[which.max(sapply(found, function(f) f@logLik))]]
}
describe <- function(found) {
  sigma <- sapply(found@components, function(each) each[[1]]@parameters$sigma)
  beta <- sapply(found@components, function(each) each[[1]]@parameters$coef)
  order <- order(rowMeans(t(cbind(1, months, months^2) %*% beta)))
  paste0('{"loglik": ', formatC(found@logLik, digits = 17, format = "g"), ', "sigma": ', number(sigma[order]),
         ', "prior": ', number(found@prior[order]), ', "beta": ', matrix_json(t(beta)[order, ]), '}')
}
writeLines(paste0(
  '{"made_by": "', R.version.string, ", flexmix ", packageVersion("flexmix"), '",\n',
  '"levels 3": ', describe(best(levels, 3)), ',\n', '"levels 4": ', describe(best(levels, 4)), ',\n',
  '"courses 2": ', describe(best(courses, 2)), ',\n', '"courses 3": ', describe(best(courses, 3)), '}'
), "low_noise.json")
