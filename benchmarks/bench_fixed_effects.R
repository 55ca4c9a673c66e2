# Times pbkrtest's Kenward-Roger: called by bench_fixed_effects.py
#     Rscript bench_fixed_effects.R DATA.csv
# prints the CPU seconds of vcovAdj and of the F test of one coefficient, then df and the adjusted variance of it.

reference_lib <- Sys.getenv("REFERENCE_R_LIB", "/tmp/rlib")
.libPaths(c(.libPaths(), reference_lib))
suppressMessages({
  library(lme4)
  library(pbkrtest)
})
data <- read.csv(commandArgs(TRUE)[1])
fit <- lmer(y ~ x + (x | g), data)
cpu <- function(expression) sum(system.time(expression)[c("user.self", "sys.self")])
took <- c(cpu(adjusted <- vcovAdj(fit)), cpu(test <- KRmodcomp(fit, cbind(0, 1))))
write(format(took, digits = 6), "", ncolumns = 2)
write(format(c(test$test["Ftest", "ddf"], as.matrix(adjusted)[2, 2]), digits = 15), "", ncolumns = 2)
