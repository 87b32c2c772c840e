# Reference values for causal/augmented.py: effects in those treated on two outcomes by AIPW, IPW and regression, with
# and without missing outcomes, and with error in two columns; standard errors by stacked estimating equations whose
# derivatives are numerical. Starts are R's glm and lm; the equations are then solved by a root finder (without error
# they are solved where they start, which is asserted).
# Run in this folder: Rscript augmented.R   (writes augmented.csv, augmented.json)
suppressMessages({library(numDeriv); library(nleqslv)})
set.seed(87)
persons <- 250; visits <- 4
n <- persons * visits
person <- rep(seq_len(persons), each = visits)
usual <- rep(rnorm(persons), each = visits)
truth <- cbind(usual + rnorm(n, 0, 0.8), usual + rnorm(n, 0, 0.5))
count <- sample(1:3, n, TRUE)
chol2 <- function(s) t(chol(s))
unit <- lapply(count, function(k) rbind(c(1, 0.2 / k), c(0.2 / k, 1 / k)))
variance <- 0.25
noise <- t(sapply(unit, function(s) chol2(s) %*% rnorm(2))) * sqrt(variance)
d <- data.frame(person, last = round(truth[, 1] + noise[, 1], 4), mean = round(truth[, 2] + noise[, 2], 4))
d$age <- round(50 + rnorm(n, 0, 10), 1)
d$highest <- round(pmax(d$last, d$mean) + abs(rnorm(n, 0, 0.3)), 4)
d$count <- count
d$treated <- rbinom(n, 1, plogis(-0.8 + 0.7 * truth[, 1] + 0.02 * (d$age - 50)))
d$pain <- round(5 + truth[, 1] + 0.5 * truth[, 2] + 0.02 * (d$age - 50) - 0.6 * d$treated + usual + rnorm(n), 4)
d$dose <- round(60 + 18 * d$treated + 4 * truth[, 2] + rnorm(n, 0, 6), 3)
d$seen <- rbinom(n, 1, plogis(1.2 + 0.5 * d$last - 0.6 * d$treated))
d$eligible <- rbinom(n, 1, 0.95)
d$followed <- ifelse(runif(n) < 0.1, 0, round(runif(n, 0.8, 1.6), 3))
d$weight <- sample(c(0, 1, 1, 2), persons, TRUE)[d$person]
write.csv(d, "augmented.csv", row.names = FALSE)

scenario <- function(missing, extra, error) {
  columns <- if (error) c("last", "mean", "age") else c("last", "mean", "age", "highest")
  x <- as.matrix(d[columns]); x[, "age"] <- (x[, "age"] - 50) / 10
  p <- ncol(x); a <- d$treated; y <- as.matrix(d[c("pain", "dose")])
  w <- if (extra) d$weight else rep(1, n)
  target <- if (extra) w * d$eligible * d$followed else w
  r <- if (missing) d$seen else rep(1, n)
  sigma <- array(0, c(n, p, p))
  if (error) for (i in 1:n) sigma[i, 1:2, 1:2] <- variance * unit[[i]]
  times <- function(v) t(sapply(1:n, function(i) sigma[i, , ] %*% v))  # n x p
  z <- cbind(1, a, x)
  take <- function(t) {
    k <- 0
    part <- function(m) { k <<- k + m; t[(k - m + 1):k] }
    list(gamma = part(1 + p), eta = if (missing) part(2 + p) else NULL, theta = cbind(part(2 + p), part(2 + p)),
         mu1 = part(2), base = part(2), left = part(2), ipw0 = part(2))
  }
  psi <- function(t) {
    s <- take(t); g <- s$gamma[-1]
    sg <- times(g)
    delta <- x + sg * (a - 0.5)
    e <- plogis(s$gamma[1] + as.vector(delta %*% g))
    e0 <- plogis(s$gamma[1] + as.vector((x - sg / 2) %*% g))  # of the untreated
    odds <- e0 / (1 - e0)
    pi <- if (missing) plogis(as.vector(z %*% s$eta)) else rep(1, n)
    u <- target * r / pi
    found <- w * (a - e) * cbind(1, delta)
    if (missing) found <- cbind(found, target * (r - pi) * z)
    tilt <- cbind(1, 0, x - sg)
    rest <- NULL
    for (k in 1:2) {
      th <- s$theta[, k]
      found <- cbind(found, u * (z * as.vector(y[, k] - z %*% th) + cbind(0, 0, times(th[-(1:2)]))))
      m0 <- th[1] + as.vector(x %*% th[-(1:2)])
      rest <- cbind(rest, a * u * (y[, k] - s$mu1[k]), a * u * (m0 - s$base[k]),
                    (1 - a) * odds * u * (y[, k] - tilt %*% th - s$left[k]), (1 - a) * odds * u * (y[, k] - s$ipw0[k]))
    }
    cbind(found, rest[, c(1, 5, 2, 6, 3, 7, 4, 8)])
  }
  tight <- glm.control(epsilon = 1e-15, maxit = 100)
  ps <- suppressWarnings(glm(a ~ x, quasibinomial, weights = w, control = tight))
  start <- coef(ps)
  pi <- rep(1, n)
  if (missing) {
    om <- suppressWarnings(glm(r ~ a + x, quasibinomial, weights = target, control = tight))
    start <- c(start, coef(om)); pi <- fitted(om)
  }
  u <- target * r / pi
  odds <- exp(as.vector(cbind(1, x) %*% coef(ps)))
  theta <- sapply(1:2, function(k) coef(lm(y[, k] ~ a + x, weights = u)))
  m0 <- cbind(1, 0, x) %*% theta
  start <- c(start, theta, apply(y, 2, weighted.mean, w = a * u), apply(m0, 2, weighted.mean, w = a * u),
             apply(y - m0, 2, weighted.mean, w = (1 - a) * odds * u), apply(y, 2, weighted.mean, w = (1 - a) * odds * u))
  total <- function(t) colSums(psi(t))
  if (error) {
    scale <- pmax(abs(total(start)), 1)
    t <- nleqslv(start, total, method = "Newton", control = list(xtol = 1e-14, ftol = 1e-10, maxit = 200))
    stopifnot(max(abs(t$fvec)) < 1e-7)
    t <- t$x
  } else {
    stopifnot(max(abs(total(start)) / sqrt(colSums(psi(start)^2))) < 1e-6)
    t <- start
  }
  bread <- solve(jacobian(total, t))
  sums <- rowsum(psi(t), d$person)
  people <- length(unique(d$person[w > 0]))
  v <- bread %*% crossprod(sums) %*% t(bread) * people / (people - 1)
  s <- take(t)
  m <- length(t)
  at <- (m - 7):m  # mu1, base, left, ipw0
  d_theta <- (1 + p) + (if (missing) 2 + p else 0) + c(2, 4 + p)
  gradient <- matrix(0, 6, m)
  for (k in 1:2) {
    gradient[k, at[c(k, k + 2, k + 4)]] <- c(1, -1, -1)  # AIPW: mean of the treated less (model + residual)
    gradient[2 + k, at[c(k, k + 6)]] <- c(1, -1)         # IPW
    gradient[4 + k, d_theta[k]] <- 1                     # regression
  }
  list(values = as.vector(gradient %*% t), covariance = gradient %*% v %*% t(gradient),
       slopes = as.vector(s$theta[-(1:2), ]), persons = length(unique(d$person[u > 0])))
}
number <- function(v) paste0("[", paste(formatC(v, digits = 17, format = "g"), collapse = ", "), "]")
cases <- list(complete = c(FALSE, FALSE, FALSE), missing = c(TRUE, FALSE, FALSE), weighted = c(TRUE, TRUE, FALSE),
              error = c(FALSE, FALSE, TRUE), error_weighted = c(TRUE, TRUE, TRUE))
lines <- sapply(names(cases), function(name) {
  f <- do.call(scenario, as.list(cases[[name]]))
  sprintf('  "%s": {"values": %s, "covariance": %s, "slopes": %s, "persons": %d}', name, number(f$values),
          number(f$covariance), number(f$slopes), f$persons)
})
writeLines(paste0("{\n", paste(lines, collapse = ",\n"), "\n}"), "augmented.json")
