# Reference values for survival/binary_regression.py: R glm, sandwich::vcovCL and glmnet on simulated rows.
# Run in this folder: Rscript binary_regression.R   (writes binary_regression.csv, binary_regression.json)
suppressMessages({library(sandwich); library(geepack); library(glmnet)})
number <- function(v) paste0("[", paste(formatC(v, digits = 17, format = "g"), collapse = ", "), "]")
matrix_json <- function(m) paste0("[", paste(apply(as.matrix(m), 1, number), collapse = ", "), "]")
entry <- function(...) {
  items <- list(...)
  texts <- sapply(items, function(v) if (is.matrix(v)) matrix_json(v) else number(v))
  paste0("{", paste0('"', names(items), '": ', texts, collapse = ", "), "}")
}

set.seed(20261120)
n <- 900
rows <- data.frame(
  a = round(rnorm(n), 3), b = rbinom(n, 1, 0.3), age = round(rnorm(n, 55, 12)),
  weight = round(runif(n, 0.1, 4), 2), offset = round(rnorm(n, 0, 0.4), 3), cluster = sample(150, n, TRUE)
)
rows$weight[sample(n, 30)] <- 0
shared <- rnorm(150, 0, 0.5)[rows$cluster]
rows$y <- rbinom(n, 1, plogis(-4 + 0.5 * rows$a + 0.8 * rows$b + 0.05 * rows$age + rows$offset + shared))
write.csv(rows, "binary_regression.csv", row.names = FALSE)

strict <- glm.control(epsilon = 1e-15, maxit = 200)
likelihood <- function(model, rows) {
  p <- fitted(model)
  sum(rows$weight * (rows$y * log(p) + (1 - rows$y) * log1p(-p)))
}
texts <- c()
for (link in c("logit", "cloglog")) {
  plain <- suppressWarnings(glm(y ~ a + b + age, binomial(link), rows, control = strict))
  texts[paste0(link, "_plain")] <- entry(
    params = coef(plain), covariance = vcov(plain), robust = vcovCL(plain, seq_len(n), type = "HC0", cadjust = FALSE),
    loglik = likelihood(plain, transform(rows, weight = 1))
  )
  # rows of weight 0 are left out here: sandwich counts them
  kept <- rows[rows$weight > 0, ]
  all <- suppressWarnings(
    glm(y ~ a + b + age, binomial(link), kept, weights = weight, offset = offset, control = strict)
  )
  texts[paste0(link, "_everything")] <- entry(
    params = coef(all), covariance = vcov(all), robust = vcovCL(all, kept$cluster, type = "HC0", cadjust = FALSE),
    loglik = likelihood(all, kept)
  )
}
# geepack's sandwich under independence, a second witness of the clustered one
sorted <- kept[order(kept$cluster), ]
gee <- suppressWarnings(geeglm(
  y ~ a + b + age + offset(offset), binomial, sorted, weights = weight, id = cluster, scale.fix = TRUE,
  control = geese.control(epsilon = 1e-12, maxit = 100)
))
texts["geepack"] <- entry(params = coef(gee), robust = gee$geese$vbeta)
x <- as.matrix(rows[, c("a", "b", "age")])
for (lambda in c(0.02, 0.3)) {
  ridge <- glmnet(x, rows$y, "binomial", weights = rows$weight, alpha = 0, lambda = lambda, thresh = 1e-18, maxit = 1e7)
  texts[paste0("ridge_", lambda)] <- entry(params = as.numeric(coef(ridge)))
}
writeLines(paste0("{\n", paste0('"', names(texts), '": ', texts, collapse = ",\n"), "\n}"), "binary_regression.json")
