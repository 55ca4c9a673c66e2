# Multiple imputation: mitml's Rubin rules with Barnard and Rubin's and Reiter's degrees of freedom, of lme fits to
# completed data sets. The imputed values stand in the record.
#     Rscript r_scripts/reference_pool.R     ->  tests/reference/fixed_effects/pool.json
source("r_scripts/reference_tools.R")
suppressPackageStartupMessages(library(mitml))

cases <- list(
  `orthodont-intercept` = list(m = 5, seed = 1, rows = c(3, 9, 20, 21, 44, 63, 70, 71, 90, 103), spread = 3,
    spec = list(data = "orthodont", fixed = "distance ~ age * sex", random = "~ 1 | subject")),
  `orthodont-two` = list(m = 2, seed = 2, rows = c(3, 9, 20, 63), spread = 2,
    spec = list(data = "orthodont", fixed = "distance ~ age * sex", random = "~ 1 | subject")),
  `ratpup-many` = list(m = 12, seed = 3, rows = seq(4, 300, by = 7), spread = 0.4,
    spec = list(data = "ratpupweight", fixed = "weight ~ treatment * sex + lsize", random = "~ 1 | litter")),
  `orthodont-little` = list(m = 4, seed = 4, rows = 17, spread = 0.05,
    spec = list(data = "orthodont", fixed = "distance ~ age * sex", random = "~ 1 | subject"))
)

numbers <- function(table) unname(as.matrix(table))

one <- function(name) {
  case <- cases[[name]]
  data <- model_data(case$spec)
  response <- all.vars(as.formula(case$spec$fixed))[1]
  set.seed(case$seed)
  at <- match(case$rows, data$row)
  values <- matrix(round(rep(data[[response]][at], each = case$m) + rnorm(case$m * length(at), 0, case$spread), 3), case$m)
  fits <- lapply(seq_len(case$m), function(i) {
    data[[response]][at] <- values[i, ]
    fit_spec(case$spec, data)
  })
  Q <- sapply(fits, fixef)
  U <- array(sapply(fits, function(fit) unname(vcov(fit))), c(nrow(Q), nrow(Q), case$m))
  df <- fits[[1]]$fixDF$X
  estimates <- lapply(c(unique(unname(df)), Inf), function(com) {
    table <- testEstimates(qhat = Q, uhat = U, df.com = if (is.finite(com)) com)$estimates
    list(df_com = com, estimate = unname(table[, "Estimate"]), se = unname(table[, "Std.Error"]), t = unname(table[, "t.value"]),
         df = unname(table[, "df"]), p = unname(table[, "P(>|t|)"]), riv = unname(table[, "RIV"]), fmi = unname(table[, "FMI"]))
  })
  rows <- lapply(seq(2, nrow(Q)), function(k) list(names = rownames(Q)[2:k]))
  tests <- lapply(rows[-1], function(row) lapply(c(min(df), Inf), function(com) {
    at <- match(row$names, rownames(Q))
    plain <- paste0("b", at)   # a name with a colon is no expression
    test <- testConstraints(qhat = structure(Q[at, ], dimnames = list(plain, NULL)), uhat = U[at, at, ], constraints = plain,
                            method = "D1", df.com = if (is.finite(com)) com)$test
    if (is.finite(com) && length(at) * (case$m - 1) <= 4) return(NULL)   # Reiter's formula is of more than four
    list(names = I(row$names), df_com = com, F = test[, "F.value"], df_num = test[, "df1"], df_den = test[, "df2"], p = test[, "P(>F)"],
         riv = test[, "RIV"])
  }))
  list(name = name, spec = case$spec, response = response, rows = I(case$rows), values = values, coef_names = I(rownames(Q)), df = I(unname(df)),
       beta = unname(t(Q)), vcov = lapply(fits, function(fit) unname(vcov(fit))), estimates = estimates, tests = Filter(Negate(is.null), unlist(tests, FALSE)))
}

write_record("pool.json", "reference_pool.R", versions("mitml"), models = lapply(names(cases), one))
