# Reference values for causal/nested_mean.py: every estimating equation written out by person and stacked, its roots by
# glm, lm and solve, and the sandwich from a Jacobian by differences (Richardson), none of it from the Python code.
# Run in this folder: Rscript nested_mean.R   (writes nested_mean.csv, nested_mean_later.csv, nested_mean.json)
set.seed(11)
people <- 350; months <- 7; lags <- 4
usual <- rnorm(people); rows <- list(); past <- matrix(0, people, months); m <- rbinom(people, 1, 0.4)
blip <- function(k, m) c(-0.8, -0.3, 0.1, 0.4)[pmin(k, 4)] + 0.5 * m
for (t in 1:months) {
  y <- usual + rnorm(people)
  for (s in seq_len(t - 1)) y <- y + past[, s] * blip(t - s, m)
  dose <- rowSums(past)
  up <- rbinom(people, 1, plogis(-1.3 + 0.5 * y - 0.1 * dose + 0.3 * m))
  size <- up * round(exp(rnorm(people, 0.1 * y - 0.1, 0.3)), 2)
  down <- (1 - up) * rbinom(people, 1, 0.05) * -0.5   # falls: later steps, but no decisions
  past[, t] <- size + down
  rows[[t]] <- data.frame(person = 1:people, month = t, pain = y, dose = dose, m = m, change = past[, t])
}
all <- do.call(rbind, rows); all <- all[order(all$person, all$month), ]
d <- all[all$change >= 0, ]; rownames(d) <- NULL
d$seen <- rbinom(nrow(d), 1, plogis(2 + 0.3 * d$pain - 0.5 * (d$change > 0)))
d$weight <- sample(c(1, 1, 2, 0.5), people, TRUE)[d$person]
pain_of <- function(p, t) { i <- match(paste(p, t), paste(all$person, all$month)); all$pain[i] }
change_of <- function(p, t) { i <- match(paste(p, t), paste(all$person, all$month)); all$change[i] }
later <- NULL
for (k in 1:lags) {
  d[[paste0("y", k)]] <- pain_of(d$person, d$month + k)
  d[[paste0("could", k)]] <- as.integer(!is.na(d[[paste0("y", k)]]))
  d[[paste0("y", k)]][rbinom(nrow(d), 1, plogis(1.5 + 0.4 * d$pain - 0.6 * (d$change > 0))) == 0] <- NA
  for (j in seq_len(k - 1)) {
    step <- change_of(d$person, d$month + k - j)
    use <- which(!is.na(step) & step != 0)
    later <- rbind(later, data.frame(outcome = k, row = use - 1, lag = j, step = step[use], m = d$m[use]))
  }
  # a small change within grace: as long before the outcome as the decision
  drift <- which(rbinom(nrow(d), 1, 0.05) == 1)
  later <- rbind(later, data.frame(outcome = k, row = drift - 1, lag = k, step = 0.2, m = d$m[drift]))
}
d[] <- lapply(d, round, 4)
write.csv(d, "nested_mean.csv", row.names = FALSE); write.csv(later, "nested_mean_later.csv", row.names = FALSE)
d <- read.csv("nested_mean.csv"); later <- read.csv("nested_mean_later.csv")

X <- cbind(1, d$pain, d$dose, d$m); A <- d$change; R <- as.numeric(A > 0); n <- nrow(d)
solution <- function(Q, w0, observe) {
  tight <- glm.control(epsilon = 1e-15, maxit = 100); r <- ncol(Q)
  chance <- coef(suppressWarnings(glm(R ~ X - 1, binomial, weights = w0, control = tight)))
  size <- coef(lm(A ~ X - 1, weights = w0, subset = R == 1))
  theta <- c(chance, size); where <- list(chance = 1:4, size = 5:8)
  e <- as.vector(plogis(X %*% chance) * (X %*% size))
  B <- lapply(1:lags, function(k) lapply(1:lags, function(j) {
    total <- matrix(0, n, r); part <- later[later$outcome == k & later$lag == j, ]
    for (i in seq_len(nrow(part))) total[part$row[i] + 1, ] <- total[part$row[i] + 1, ] + part$step[i] * c(1, part$m[i])[1:r]
    total
  }))
  psi <- list()
  for (k in 1:lags) {
    Y <- d[[paste0("y", k)]]; S <- as.numeric(!is.na(Y)); Y[is.na(Y)] <- 0
    could <- if (observe) d[[paste0("could", k)]] else S
    w <- w0 * S
    if (observe) {
      alpha <- coef(suppressWarnings(glm(S ~ cbind(X, A) - 1, binomial, weights = w0 * could, control = tight)))
      where[[paste0("alpha", k)]] <- length(theta) + 1:5; theta <- c(theta, alpha)
      w <- w / as.vector(plogis(cbind(X, A) %*% alpha))
    }
    H <- Y
    for (j in seq_len(k - 1)) H <- H - B[[k]][[j]] %*% psi[[j]]
    Z <- cbind(Q * (A - e), X); V <- cbind(Q * A + B[[k]][[k]], X)
    found <- solve(t(Z) %*% (w * V), t(Z) %*% (w * H))
    psi[[k]] <- found[1:r]
    where[[paste0("lag", k)]] <- length(theta) + seq_along(found); theta <- c(theta, found)
  }
  equations <- function(theta) {
    chance <- theta[where$chance]; size <- theta[where$size]
    p <- as.vector(plogis(X %*% chance)); s <- as.vector(X %*% size)
    U <- cbind(w0 * (R - p) * X, w0 * R * (A - s) * X); psi <- list()
    for (k in 1:lags) {
      Y <- d[[paste0("y", k)]]; S <- as.numeric(!is.na(Y)); Y[is.na(Y)] <- 0; w <- w0 * S
      if (observe) {
        C <- cbind(X, A); pi <- as.vector(plogis(C %*% theta[where[[paste0("alpha", k)]]]))
        U <- cbind(U, w0 * d[[paste0("could", k)]] * (S - pi) * C); w <- w / pi
      }
      b <- theta[where[[paste0("lag", k)]]]; psi[[k]] <- b[1:r]
      left <- Y - (Q * A) %*% psi[[k]] - X %*% b[-(1:r)]
      for (j in 1:k) left <- left - B[[k]][[j]] %*% psi[[j]]
      U <- cbind(U, as.vector(w * left) * cbind(Q * (A - p * s), X))
    }
    U
  }
  total <- function(theta) colSums(equations(theta))
  jacobian <- sapply(seq_along(theta), function(i) {
    slope <- function(h) { up <- down <- theta; up[i] <- up[i] + h; down[i] <- down[i] - h; (total(up) - total(down)) / (2 * h) }
    h <- 1e-3; first <- (4 * slope(h / 2) - slope(h)) / 3; second <- (4 * slope(h / 4) - slope(h / 2)) / 3
    (16 * second - first) / 15
  })
  by_person <- rowsum(equations(theta), d$person); G <- length(unique(d$person[w0 > 0]))
  bread <- solve(jacobian); V <- G / (G - 1) * bread %*% (t(by_person) %*% by_person) %*% t(bread)
  own <- unlist(lapply(1:lags, function(k) where[[paste0("lag", k)]][1:r]))
  stopifnot(max(abs(total(theta))) < 1e-7)
  list(psi = theta[own], covariance = V[own, own])
}
number <- function(v) paste0("[", paste(formatC(v, digits = 17, format = "g"), collapse = ", "), "]")
one <- matrix(1, n, 1); both <- cbind(1, d$m)
plain <- solution(one, rep(1, n), FALSE); seen <- solution(one, rep(1, n), TRUE); full <- solution(both, d$weight, TRUE)
told <- list(plain = plain, observed = seen, modified = full)
lines <- unlist(lapply(names(told), function(name) c(
  sprintf('  "%s": %s', name, number(told[[name]]$psi)),
  sprintf('  "%s_covariance": %s', name, number(as.vector(told[[name]]$covariance))))))
writeLines(paste0("{\n", paste(lines, collapse = ",\n"), "\n}"), "nested_mean.json")
