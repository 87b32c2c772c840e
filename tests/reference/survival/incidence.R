# Reference values for survival/incidence.py: weighted Kaplan-Meier and Aalen-Johansen with delayed entry, weights that
# change over a person's rows, ties, and clusters of two people; robust (infinitesimal jackknife) errors.
# Run in this folder: Rscript incidence.R   (writes incidence_rows.csv, incidence_curves.csv, incidence_horizons.csv)
suppressMessages(library(survival))
set.seed(20260401)
person <- function(i) {
  entry <- if (i <= 60) 0 else sample(0:25, 1)
  pieces <- sample(1:4, 1)
  stops <- entry + cumsum(sample(3:30, pieces, replace = TRUE))
  data.frame(id = i, cluster = (i + 1) %/% 2, start = c(entry, head(stops, -1)), stop = stops,
             cause = c(rep(0, pieces - 1), sample(0:3, 1, prob = c(.4, .25, .2, .15))),
             weight = round(runif(pieces, .2, 3), 3))
}
rows <- do.call(rbind, lapply(1:150, person))
write.csv(rows, "incidence_rows.csv", row.names = FALSE, quote = FALSE)
rows$state <- factor(rows$cause, 0:3, c("none", "1", "2", "3"))
horizons <- c(10, 30, 55, 80)

# Standard errors from R's own influence: on survival (survfitKM) always; on the states (Aalen-Johansen) where a
# person has one weight and is a cluster. Where weights change or clusters are of several people, survfit 3.5-3 gives
# the states right but not their influence (its standard error is then not that of its own Kaplan-Meier): there the
# influence is the derivative of its states by each row's weight.
curve <- function(kind, weights, cluster, numeric) {
  rows$w <- weights; rows$g <- cluster; rows$row <- seq_len(nrow(rows))
  states <- function(w) {
    rows$w <- w
    if (numeric) survfit(Surv(start, stop, state) ~ 1, rows, weights = w, id = row, timefix = FALSE, se.fit = FALSE)
    else survfit(Surv(start, stop, state) ~ 1, rows, weights = w, id = id, cluster = g, timefix = FALSE)
  }
  aj <- states(rows$w)
  km <- survfit(Surv(start, stop, cause > 0) ~ 1, rows, weights = w, id = row, cluster = g, robust = TRUE,
                timefix = FALSE, influence = 1)
  at <- findInterval(horizons, aj$time)
  if (numeric) {
    derivative <- sapply(seq_len(nrow(rows)), function(i) {
      step <- replace(numeric(nrow(rows)), i, 1e-4)
      (8 * (states(rows$w + step)$pstate - states(rows$w - step)$pstate) -
         (states(rows$w + 2 * step)$pstate - states(rows$w - 2 * step)$pstate)) / 12e-4 * rows$w[i]
    }, simplify = "array")  # time x state x row
    influence <- aperm(apply(derivative, 1:2, function(v) rowsum(v, rows$g)[, 1]), c(2, 3, 1))
    std.err <- sqrt(apply(influence^2, 1:2, sum))
    first <- influence[at[1], 2, ]
    with_first <- sapply(at, function(m) sapply(2:4, function(j) sum(influence[m, j, ] * first)))
  } else {
    std.err <- aj$std.err
    with_first <- matrix(NA, 3, length(horizons))
  }
  place <- match(aj$time, km$time)
  of_survival <- cbind(0, km$influence.surv)
  mean_time <- function(tau) {
    from <- c(0, km$time[km$time < tau], tau)
    width <- diff(from)
    now <- seq_along(width)
    c(sum(width * c(1, km$surv)[now]), sqrt(sum((of_survival[, now, drop = FALSE] %*% width)^2)))
  }
  means <- sapply(rep(horizons, each = 3), mean_time)
  list(
    curves = data.frame(kind = kind, time = aj$time, aj$pstate[, -1], std.err[, -1], surv = km$surv[place],
                        surv_se = sqrt(colSums(km$influence.surv^2))[place]),
    horizons = data.frame(kind = kind, cause = 1:3, horizon = rep(horizons, each = 3),
                          risk = as.vector(t(aj$pstate[at, -1])), se = as.vector(t(std.err[at, -1])),
                          with_first = as.vector(with_first), rmst = means[1, ], rmst_se = means[2, ])
  )
}
constant <- ave(rows$weight, rows$id, FUN = function(v) v[1])
all <- list(curve("plain", rep(1, nrow(rows)), rows$id, FALSE), curve("constant", constant, rows$id, FALSE),
            curve("weighted", rows$weight, rows$id, TRUE), curve("clustered", rows$weight, rows$cluster, TRUE))
save <- function(what, file) {
  table <- do.call(rbind, lapply(all, `[[`, what))
  if (what == "curves") names(table)[3:8] <- c("risk_1", "risk_2", "risk_3", "se_1", "se_2", "se_3")
  write.csv(format(table, digits = 17, trim = TRUE), file, row.names = FALSE, quote = FALSE)
}
save("curves", "incidence_curves.csv")
save("horizons", "incidence_horizons.csv")
