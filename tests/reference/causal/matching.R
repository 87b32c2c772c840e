# Reference values for causal/matching.py: all pairs by hand, closest first; and MatchIt's nearest neighbours where the
# order of matching does not matter. (By a given score MatchIt 4.5.1 of Debian passes over nearer comparators and its own
# caliper; by the Mahalanobis distance of one column, which orders pairs alike, it does not.)
# Run in this folder: Rscript matching.R   (writes matching.csv, matching_clear.csv: the set of each row, 0 = none)
suppressMessages(library(MatchIt))
set.seed(20261120)
exact <- function(v) trimws(formatC(v, digits = 17, format = "g"))

by_hand <- function(logit, treated, ratio, caliper) {
  width <- caliper * sd(logit)
  set <- integer(length(logit))
  looking <- which(treated == 1)
  free <- which(treated == 0)
  for (turn in seq_len(ratio)) {
    gap <- abs(outer(logit[looking], logit[free], "-"))
    found <- c()
    while (min(gap) <= width) {
      at <- arrayInd(which.min(gap), dim(gap))
      if (turn == 1) set[looking[at[1]]] <- max(set) + 1
      set[free[at[2]]] <- set[looking[at[1]]]
      found <- c(found, looking[at[1]])
      gap[at[1], ] <- Inf
      gap[, at[2]] <- Inf
    }
    looking <- found
    free <- free[set[free] == 0]
  }
  set
}

n <- 800
logit <- rnorm(n, -0.5, 1.2)
rows <- data.frame(score = plogis(logit), treated = rbinom(n, 1, plogis(logit)))
for (ratio in 1:2) rows[[paste0("set_", ratio)]] <- by_hand(qlogis(rows$score), rows$treated, ratio, 0.2)
rows$score <- exact(rows$score)
write.csv(rows, "matching.csv", row.names = FALSE, quote = FALSE)

# 40 islands of a treated and four comparators each
centre <- rep(seq(-4, 4, length.out = 40), each = 5)
clear <- data.frame(logit = centre + runif(200, -0.04, 0.04), treated = rep(c(1, 0, 0, 0, 0), 40))[sample(200), ]
for (ratio in 1:3) {
  found <- matchit(treated ~ logit, clear, method = "nearest", distance = "mahalanobis", ratio = ratio)
  set <- as.integer(found$subclass)
  clear[[paste0("set_", ratio)]] <- ifelse(is.na(set), 0, set)
}
clear$score <- exact(plogis(clear$logit))
clear$logit <- NULL
write.csv(clear, "matching_clear.csv", row.names = FALSE, quote = FALSE)
