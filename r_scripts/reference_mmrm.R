# mmrm on its own fev_data: every covariance that nlme has too, REML and ML, Satterthwaite, Kenward-Roger in its linear
# form and in mmrm's own parameters, and the empirical covariances, by coefficient and for contrasts. The covariance of
# the visits stands in the record, so that another program can be evaluated at the very same place.
#     Rscript r_scripts/reference_mmrm.R     ->  tests/reference/fixed_effects/mmrm.json
source("r_scripts/reference_tools.R")
suppressPackageStartupMessages(library(mmrm))

fixed <- c(arm_by_visit = "fev1 ~ race + sex + armcd * avisit", arm = "fev1 ~ armcd")
structures <- list(   # mmrm's name = nlme's words
  us   = list(correlation = "corSymm(form = ~ visitn | usubjid)", weights = "varIdent(form = ~ 1 | avisit)"),
  cs   = list(correlation = "corCompSymm(form = ~ 1 | usubjid)"),
  csh  = list(correlation = "corCompSymm(form = ~ 1 | usubjid)", weights = "varIdent(form = ~ 1 | avisit)"),
  ar1  = list(correlation = "corAR1(form = ~ visitn | usubjid)"),
  ar1h = list(correlation = "corAR1(form = ~ visitn | usubjid)", weights = "varIdent(form = ~ 1 | avisit)"))
methods <- list(   # name = method, covariance, for ML too
  satterthwaite        = list("Satterthwaite", NULL, TRUE),
  kenward_roger_linear = list("Kenward-Roger", "Kenward-Roger-Linear", FALSE),
  kenward_roger_own    = list("Kenward-Roger", "Kenward-Roger", FALSE),
  CR0                  = list("Satterthwaite", "Empirical", TRUE),
  CR2                  = list("Satterthwaite", "Empirical-Bias-Reduced", TRUE),
  CR3                  = list("Satterthwaite", "Empirical-Jackknife", TRUE),
  between_within       = list("Between-Within", NULL, TRUE),
  residual             = list("Residual", NULL, TRUE))

data <- shipped("fev")
data <- data[!is.na(data$fev1), ]

sets_of <- function(names_of) {
  row <- function(...) replace(setNames(numeric(length(names_of)), names_of), c(...), 1)
  if (length(names_of) == 2) return(list(arm = rbind(row("armcdTRT")), both = rbind(row("(Intercept)"), row("armcdTRT"))))
  interaction <- grep("armcdTRT:", names_of, value = TRUE)
  list(arm_at_VIS4 = rbind(row("armcdTRT", "armcdTRT:avisitVIS4")),
       arm_by_visit = do.call(rbind, lapply(interaction, row)),
       race = do.call(rbind, lapply(grep("race", names_of, value = TRUE), row)),
       arm_at_every_visit = rbind(row("armcdTRT"), do.call(rbind, lapply(interaction, function(name) row("armcdTRT", name)))),
       arm_mean_over_visits = rbind(replace(row("armcdTRT"), match(interaction, names_of), 1 / 4)))
}

fit_mmrm <- function(..., start = NULL)
  mmrm(..., start = start, optimizer = "nlminb", optimizer_control = list(rel.tol = 1e-13, sing.tol = 0, iter.max = 1000, eval.max = 2000))

newton_from <- function(fit) {   # mmrm's own derivatives are exact
  theta <- fit$theta_est
  for (step in 1:3) theta <- theta - solve(fit$tmb_obj$he(theta), drop(fit$tmb_obj$gr(theta)))
  theta
}

one_method <- function(method, formula, reml, start) {
  fit <- fit_mmrm(formula, data, reml = reml, method = method[[1]], vcov = method[[2]], start = start)
  s <- coef(summary(fit))
  names_of <- rownames(s)
  sets <- sets_of(names_of)
  answers <- unname(Map(function(label, L) {
    F <- df_md(fit, L)
    answer <- list(label = label, L = list(columns = I(names_of), values = unname(L)),
                   F_test = list(df_num = F$num_df, df_den = F$denom_df, F = F$f_stat, p = F$p_val))
    if (nrow(L) == 1) {
      t <- df_1d(fit, drop(L))
      answer$t_test <- list(estimate = t$est, se = t$se, df = t$df, t = t$t_stat, p = t$p_val)
    }
    answer
  }, names(sets), sets))
  list(fit = fit, answer = list(
    coefficients = table_of(data.frame(coefficient = names_of, estimate = s[, 1], se = s[, 2], df = s[, 3], t = s[, 4], p = s[, 5])),
    vcov = unname(vcov(fit)), hypotheses = answers))
}

one <- function(model, structure, reml) {
  name <- paste(model, structure, if (reml) "reml" else "ml", sep = "-")
  message(name)
  formula <- as.formula(paste0(fixed[[model]], " + ", structure, "(avisit | usubjid)"))
  used <- Filter(function(m) reml || m[[3]], methods)
  start <- newton_from(fit_mmrm(formula, data, reml = reml))
  answers <- lapply(used, one_method, formula, reml, start)
  fit <- answers[[1]]$fit
  V <- VarCorr(fit)
  sd <- sqrt(diag(V))
  spec <- c(list(data = "fev", fixed = fixed[[model]]), structures[[structure]], list(method = if (reml) "REML" else "ML"))
  by_gls <- quietly(tryCatch(fit_spec(c(spec, list(control = list(tolerance = 1e-10, msTol = 1e-12, msMaxIter = 500, maxIter = 500)))),
                             error = function(e) conditionMessage(e)))
  gls_record <- if (is.character(by_gls$value)) list(refused = by_gls$value) else
    list(log_lik = as.numeric(logLik(by_gls$value)), beta = I(unname(coef(by_gls$value))), sigma = by_gls$value$sigma,
         cor = cor_values(by_gls$value$modelStruct$corStruct), var = var_values(by_gls$value$modelStruct$varStruct), said = I(by_gls$said))
  list(name = name, spec = spec, formula = paste(deparse(formula, width.cutoff = 500), collapse = ""), covariance = structure,
       method = if (reml) "REML" else "ML", n = component(fit, "n_obs"), subjects = component(fit, "n_subjects"),
       coef_names = I(names(coef(fit))), beta = I(unname(coef(fit))), minus_two_log_lik = deviance(fit),
       largest_slope = max(abs(fit$tmb_obj$gr(fit$theta_est))),
       visits = matrix_of(V), sd = I(unname(sd)), correlation = unname(V / outer(sd, sd)),
       model_vcov = unname(component(fit, "beta_vcov")), inference = lapply(answers, `[[`, "answer"), gls = gls_record)
}

design_of <- function(text) {   # rows as shipped, those without a response left out
  X <- model.matrix(as.formula(text), data)
  list(fixed = text, rows = data$row, coef_names = I(colnames(X)), X = unname(X))
}
shared <- list(rows = data$row, y = data$fev1, subject = as.character(data$usubjid), visit = as.integer(data$avisit) - 1L)

grid <- expand.grid(structure = names(structures), model = names(fixed), reml = c(TRUE, FALSE), stringsAsFactors = FALSE)
write_record("mmrm.json", "reference_mmrm.R", versions("mmrm", "TMB"), data = shared,
             designs = unname(lapply(fixed, design_of)), models = Map(one, grid$model, grid$structure, grid$reml, USE.NAMES = FALSE))
