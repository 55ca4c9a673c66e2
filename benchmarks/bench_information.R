# Times lmeInfo's Fisher_info on a fitted model: called by bench_information.py
#     Rscript bench_information.R DATA.csv RANDOM
# prints the least CPU seconds of two calls, θ, and the matrix column by column.

suppressMessages({
  library(nlme)
  library(lmeInfo)
})
arguments <- commandArgs(TRUE)
data <- read.csv(arguments[1])
data$g <- factor(data$g)
if ("h" %in% names(data)) data$h <- factor(data$h)
fit <- lme(y ~ x, data, as.formula(arguments[2]), control = lmeControl(returnObject = TRUE))
took <- replicate(2, sum(system.time(info <<- Fisher_info(fit, "expected"))[1:2]))
write(min(took), "", ncolumns = 1)
write(format(extract_varcomp(fit, vector = TRUE), digits = 17), "", ncolumns = 1e6)
write(format(c(info), digits = 17), "", ncolumns = 1e6)
