# Times nlme's fit of one model: called by bench_engine.py
#     Rscript bench_engine.R DATA.csv CALL
# prints the CPU seconds and the log-likelihood.

suppressMessages(library(nlme))
arguments <- commandArgs(TRUE)
data <- read.csv(arguments[1])
for (name in intersect(c("g", "h", "s"), names(data))) data[[name]] <- factor(data[[name]])
held <- lmeControl(returnObject = TRUE)
call <- parse(text = arguments[2])[[1]]
took <- system.time(fit <- suppressWarnings(eval(call)))
write(format(c(sum(took[1:2]), logLik(fit)), digits = 17), "", ncolumns = 2)
