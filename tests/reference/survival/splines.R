# Reference values for survival/splines.py: R splines::ns without intercept, inside and beyond the boundary knots.
# Run in this folder: Rscript splines.R   (writes splines.csv: x, number of knots, value per column)
suppressMessages(library(splines))
sets <- list(c(-1, 2), c(-1, 0.5, 2), c(0, 10, 50, 90, 200), c(1, 2, 4, 8, 16, 32, 64))
rows <- NULL
for (number in seq_along(sets)) {
  knots <- sets[[number]]
  ends <- range(knots)
  x <- c(seq(ends[1] - 1.5 * diff(ends), ends[2] + 1.5 * diff(ends), length.out = 19), knots)
  basis <- ns(x, knots = setdiff(knots, ends), Boundary.knots = ends)
  for (column in seq_len(ncol(basis))) {
    rows <- rbind(rows, data.frame(set = number, x = x, column = column, value = basis[, column]))
  }
}
rows$x <- trimws(formatC(rows$x, digits = 17, format = "g"))
rows$value <- trimws(formatC(rows$value, digits = 17, format = "g"))
write.csv(rows, "splines.csv", row.names = FALSE, quote = FALSE)
