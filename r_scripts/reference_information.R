# Fits small models and stores their likelihood and lmeInfo's information matrices, with the
# designs, so that the core can be tested without R:
#     Rscript r_scripts/reference_information.R tests/reference/information.json

suppressMessages({
  library(nlme)
  library(lmeInfo)
  library(jsonlite)
})

by_group <- function(data, ...) {
  data <- as.data.frame(data)
  keys <- lapply(c(...), function(name) as.character(data[[name]]))
  data[do.call(order, keys), ]
}
codes <- function(...) {
  key <- paste(...)
  match(key, unique(key)) - 1
}
level <- function(group, rows, Z, fit) {
  D <- unclass(as.matrix(fit$modelStruct$reStruct[[group]])) * fit$sigma^2
  list(group = group, pd_class = class(fit$modelStruct$reStruct[[group]])[1], names = colnames(D),
       codes = rows, Z = unname(Z), D = unname(D))
}
entry <- function(name, fit, data, levels = list(), cor = NULL, var = NULL) list(
  name = name, kind = class(fit)[1], method = fit$method, call = deparse1(fit$call),
  y = data[[as.character(formula(fit)[[2]])]], X = unname(model.matrix(formula(fit), data)),
  sigma = fit$sigma, log_lik = as.numeric(logLik(fit)), levels = levels, cor = cor, var = var,
  names = rownames(Fisher_info(fit, "expected")),
  expected = unname(Fisher_info(fit, "expected")), average = unname(Fisher_info(fit, "average")))

# lmeInfo looks for the data of a gls among the global objects
ortho <- by_group(Orthodont, "Subject")
oats <- by_group(Oats, "Block", "Variety")
ovary <- by_group(Ovary, "Mare")
ovary$wave <- sin(2 * pi * ovary$Time)  # lmeInfo reads the names of effects as patterns
rats <- by_group(BodyWeight, "Rat")
rats$Diet <- factor(as.character(rats$Diet))

fits <- function(method) {
  slope <- lme(distance ~ age * Sex, ortho, ~ age | Subject, method = method)
  Z <- cbind(1, ortho$age)
  subject <- codes(ortho$Subject)

  marginal <- gls(distance ~ age * Sex, ortho, corAR1(form = ~ 1 | Subject),
                  varIdent(form = ~ 1 | Sex), method = method)
  phi <- coef(marginal$modelStruct$corStruct, FALSE)
  delta <- coef(marginal$modelStruct$varStruct, FALSE)
  female <- as.integer(ortho$Sex == "Female")

  nested <- lme(yield ~ nitro, oats, ~ 1 | Block / Variety, method = method)
  block <- codes(oats$Block)
  plot <- codes(oats$Block, oats$Variety)
  one <- matrix(1, nrow(oats), 1)

  series <- lme(follicles ~ wave + cos(2 * pi * Time), ovary, list(Mare = pdDiag(~ wave)),
                corAR1(form = ~ 1 | Mare), method = method)
  mare <- codes(ovary$Mare)

  power <- lme(weight ~ Time * Diet, rats, ~ Time | Rat, corCAR1(form = ~ Time | Rat),
               varPower(form = ~ Time), method = method)
  rat <- codes(rats$Rat)

  list(
    entry(paste("Orthodont", method), slope, ortho, list(level("Subject", subject, Z, slope))),
    entry(paste("Orthodont gls", method), marginal, ortho,
          cor = list(class = "corAR1", values = I(unname(phi)), codes = subject,
                     covariate = ortho$age / 2 - 4),
          var = list(class = "varIdent", values = c(1, unname(delta)), free = c(FALSE, TRUE),
                     codes = female)),
    entry(paste("Oats", method), nested, oats,
          list(level("Block", block, one, nested), level("Variety", plot, one, nested))),
    entry(paste("Ovary", method), series, ovary,
          list(level("Mare", mare, cbind(1, ovary$wave), series)),
          cor = list(class = "corAR1", codes = mare,
                     values = I(unname(coef(series$modelStruct$corStruct, FALSE))),
                     covariate = ave(ovary$Time, mare, FUN = seq_along))),
    entry(paste("BodyWeight", method), power, rats,
          list(level("Rat", rat, cbind(1, rats$Time), power)),
          cor = list(class = "corCAR1", codes = rat, covariate = rats$Time,
                     values = I(unname(coef(power$modelStruct$corStruct, FALSE)))),
          var = list(class = "varPower", free = I(TRUE), covariate = rats$Time,
                     values = I(unname(coef(power$modelStruct$varStruct, FALSE))))))
}

versions <- lapply(c(nlme = "nlme", lmeInfo = "lmeInfo"),
                   function(name) as.character(packageVersion(name)))
stored <- c(list(generator = "r_scripts/reference_information.R", R = R.version.string), versions,
            list(models = c(fits("REML"), fits("ML"))))
write_json(stored, commandArgs(TRUE), digits = I(17), auto_unbox = TRUE, null = "null")
