# Rubin's rules for a scalar: mice::pool.scalar. Run: Rscript rubin.R > rubin.csv
suppressMessages(library(mice))
q <- c(0.41, 0.38, 0.52, 0.45, 0.36); u <- c(0.0121, 0.0130, 0.0118, 0.0125, 0.0122)
r <- pool.scalar(q, u, n = Inf)
cat("quantity,value\n")
cat(sprintf("estimate,%.17g\nvariance,%.17g\ndegrees,%.17g\nlambda,%.17g\n", r$qbar, r$t, (length(q) - 1) / ((1 + 1/length(q)) * r$b / r$t)^2, (1 + 1/length(q)) * r$b / r$t))
