# Reference values for trajectories/latent_class.py: R flexmix on 300 simulated people x 12 months, 3 classes that overlap.
# Run in this folder: Rscript latent_class.R   (writes latent_class.csv, latent_class.json)
#
# flexmix's own driver divides a class's variance by rows - columns, so it stops beside the maximum of the likelihood.
# `ml` is the same driver with the divisor of maximum likelihood; both are kept.
suppressMessages({library(flexmix); library(splines)})
number <- function(v) paste0("[", paste(formatC(v, digits = 17, format = "g"), collapse = ", "), "]")
matrix_json <- function(m) paste0("[", paste(apply(as.matrix(m), 1, number), collapse = ", "), "]")

set.seed(20261120)
persons <- 300; months <- 0:11
class <- sample(1:3, persons, replace = TRUE, prob = c(0.5, 0.3, 0.2))
curve <- rbind(1.0 + 0.00 * months, 1.5 + 0.15 * months - 0.005 * months^2, 3.0 - 0.25 * months + 0.01 * months^2)
sigma <- c(0.8, 1.0, 1.2)
rows <- data.frame(person = rep(seq_len(persons), each = 12), month = rep(months, persons))
rows$y <- curve[cbind(class[rows$person], rows$month + 1)] + rnorm(nrow(rows), sd = sigma[class[rows$person]])
rows <- rows[runif(nrow(rows)) > 0.15, ]
# leaving early, and one person with a single month
rows <- rows[!(rows$person %% 7 == 0 & rows$month > 4) & !(rows$person == 10 & rows$month > 0), ]
rows$y <- round(rows$y, 6)
write.csv(rows, "latent_class.csv", row.names = FALSE, quote = FALSE)

ml <- FLXMRglm()
ml@fit <- function(x, y, w, component) {
  fit <- lm.wfit(x, y, w = w)
  sigma <- sqrt(sum(w * fit$residuals^2) / sum(w))
  ml@defineComponent(para = list(coef = coef(fit), df = ncol(x) + 1, sigma = sigma))
}
control <- list(iter.max = 5000, tolerance = 1e-16, minprior = 0)
best <- function(formula, classes, model, starts) {
  found <- lapply(seq_len(starts), function(i) flexmix(formula, data = rows, k = classes, model = model, control = control))
  found[[which.max(sapply(found, function(f) f@logLik))]]
}
quadratic <- y ~ month + I(month^2) | person
spline <- y ~ ns(month, knots = c(2.75, 5.5, 8.25)) | person

describe <- function(found, newdata = data.frame(month = months)) {
  sigma <- sapply(found@components, function(each) each[[1]]@parameters$sigma)
  beta <- sapply(found@components, function(each) each[[1]]@parameters$coef)
  at <- if (nrow(beta) == 3) cbind(1, newdata$month, newdata$month^2) else cbind(1, ns(newdata$month, knots = c(2.75, 5.5, 8.25), Boundary.knots = c(0, 11)))
  curves <- t(at %*% beta)
  first <- !duplicated(rows$person)
  order <- order(rowMeans(curves))
  paste0(
    '{"loglik": ', formatC(found@logLik, digits = 17, format = "g"),
    ', "bic": ', formatC(BIC(found), digits = 17, format = "g"),
    ', "sigma": ', number(sigma[order]), ', "prior": ', number(found@prior[order]),
    ', "beta": ', matrix_json(t(beta)[order, ]), ', "curves": ', matrix_json(curves[order, ]),
    ', "posterior": ', matrix_json(found@posterior$scaled[first, order][1:20, ]), '}'
  )
}
writeLines(paste0(
  '{"made_by": "', R.version.string, ", flexmix ", packageVersion("flexmix"), '",\n',
  '"maximum_likelihood": ', describe(best(quadratic, 3, ml, 8)), ',\n',
  '"flexmix_own": ', describe(best(quadratic, 3, FLXMRglm(), 8)), ',\n',
  '"two_classes": ', describe(best(quadratic, 2, ml, 8)), ',\n',
  '"spline": ', describe(best(spline, 3, ml, 8)), '}'
), "latent_class.json")
