# emmeans on lme, gls and lmer fits: reference grids, weights, contrast families and adjustments. Each mean and each
# contrast carries its row over the coefficients, so that it can be checked apart from the grid that led to it.
#     Rscript r_scripts/reference_means.R     ->  tests/reference/fixed_effects/means.json
source("r_scripts/reference_tools.R")
suppressPackageStartupMessages({
  library(emmeans)
  library(lme4)
  library(mvtnorm)
})
emm_options(opt.digits = FALSE)

models <- list(
  ergostool = list(spec = list(data = "ergostool", fixed = "effort ~ type", random = "~ 1 | subject")),
  `ergostool-ml` = list(spec = list(data = "ergostool", omit = c(2, 9, 10, 31), fixed = "effort ~ type", random = "~ 1 | subject", method = "ML")),
  oats = list(spec = list(data = "oats", category = list("nitro"), fixed = "yield ~ nitro * variety", random = "~ 1 | block/variety")),
  `oats-additive` = list(spec = list(data = "oats", category = list("nitro"), omit = c(0, 5, 6, 19, 33, 34, 35, 50, 61), fixed = "yield ~ nitro + variety",
                                     random = "~ 1 | block/variety")),
  `oats-sum` = list(spec = list(data = "oats", category = list("nitro"), omit = c(0, 5, 6, 19, 33, 34, 35, 50, 61), fixed = "yield ~ nitro * variety",
                                random = "~ 1 | block/variety", contrasts = list(nitro = "contr.sum", variety = "contr.helmert"))),
  orthodont = list(spec = list(data = "orthodont", fixed = "distance ~ age * sex", random = "~ age | subject")),
  ratpup = list(spec = list(data = "ratpupweight", fixed = "weight ~ treatment * sex + lsize", random = "~ 1 | litter")),
  `ratpup-varident` = list(spec = list(data = "ratpupweight", fixed = "weight ~ treatment + sex + lsize", random = "~ 1 | litter",
                                       weights = "varIdent(form = ~ 1 | treatment)")),
  milk = list(spec = list(data = "milk", fixed = "protein ~ diet * (time + I(time^2))", random = "~ 1 | cow", correlation = "corAR1(form = ~ time | cow)")),
  dialyzer = list(spec = list(data = "dialyzer", fixed = "rate ~ qb * poly(pressure, 3)", correlation = "corAR1(form = ~ 1 | subject)",
                              weights = "varPower(form = ~ pressure)")),
  alfalfa = list(spec = list(data = "alfalfa", fixed = "yield ~ variety * date", random = "~ 1 | block/variety")),
  fev = list(spec = list(data = "fev", fixed = "fev1 ~ race + sex + armcd * avisit", correlation = "corAR1(form = ~ visitn | usubjid)",
                         weights = "varIdent(form = ~ 1 | avisit)")),
  `fev-baseline` = list(spec = list(data = "fev", fixed = "fev1 ~ fev1_bl + race * armcd + avisit", correlation = "corCompSymm(form = ~ 1 | usubjid)",
                                    method = "ML")),
  # by lmer, at the optimum of lmer.json
  `lmer oats-split-plot-unbalanced` = list(lmer = "(1 | block / variety)", record = "oats-split-plot-unbalanced",
    spec = list(data = "oats", omit = c(0, 5, 6, 19, 33, 34, 35, 50, 61), fixed = "yield ~ factor(nitro) * variety", random = "~ 1 | block/variety")),
  `lmer machines-nested-unbalanced` = list(lmer = "(1 | worker / machine)", record = "machines-nested-unbalanced",
    spec = list(data = "machines", omit = c(1, 2, 9, 20, 27, 28, 33, 40, 41, 52), fixed = "score ~ machine", random = "~ 1 | worker/machine")),
  `lmer ratpup-litter` = list(lmer = "(1 | litter)", record = "ratpup-litter",
    spec = list(data = "ratpupweight", fixed = "weight ~ treatment * sex + lsize", random = "~ 1 | litter")),
  `lmer orthodont-slope-sum-unbalanced` = list(lmer = "(age | subject)", record = "orthodont-slope-sum-unbalanced",
    spec = list(data = "orthodont", omit = c(3, 10, 17, 25, 26, 41, 58, 59, 60, 77, 90, 105), fixed = "distance ~ age * sex",
                random = "~ age | subject", contrasts = list(sex = "contr.sum")))
)

nitro_custom <- list(first_last = c(-1, 0, 0, 1), control_rest = c(-1, 1 / 3, 1 / 3, 1 / 3))
any_adjust <- c("none", "bonferroni", "holm")
family <- function(how, adjust = any_adjust, ...) list(how = how, adjust = adjust, options = list(...))
pairwise <- family("pairwise", c(any_adjust, "tukey", "mvt"))
reference <- family("trt.vs.ctrl", c(any_adjust, "dunnettx", "mvt"))
consecutive <- family("consec", c(any_adjust, "mvt"))
polynomial <- family("poly")

grids <- list(
  list("ergostool", "type", contrasts = list(pairwise, reference, consecutive, polynomial)),
  list("ergostool", "type", mode = "asymptotic", contrasts = list(pairwise, family("trt.vs.ctrl", c(any_adjust, "dunnettx", "mvt"), ref = 3))),
  list("ergostool-ml", "type", contrasts = list(pairwise)),
  list("oats", "variety", contrasts = list(pairwise, reference)),
  list("oats", "nitro", contrasts = list(consecutive, polynomial, family(nitro_custom))),
  list("oats", "nitro", by = "variety", contrasts = list(consecutive, polynomial, family(nitro_custom), reference)),
  list("oats", "variety", by = "nitro", contrasts = list(pairwise)),
  list("oats", c("nitro", "variety"), contrasts = list(family("pairwise", c("none", "holm", "bonferroni")))),
  list("oats-additive", "nitro", contrasts = list(pairwise, reference)),
  list("oats-additive", "nitro", weights = "proportional"),
  list("oats-additive", "variety", weights = "cells", contrasts = list(pairwise)),
  list("oats-sum", "nitro", contrasts = list(pairwise, polynomial)),
  list("oats-sum", "variety", weights = "proportional", contrasts = list(pairwise)),
  list("oats-sum", "variety", weights = "cells", contrasts = list(pairwise)),
  list("orthodont", "sex", contrasts = list(pairwise)),
  list("orthodont", "sex", by = "age", at = list(age = c(8, 11, 14)), contrasts = list(pairwise)),
  list("orthodont", "age", by = "sex", at = list(age = c(8, 10, 13)), contrasts = list(family("consec"), family("poly", max.degree = 1))),
  list("ratpup", "treatment", contrasts = list(pairwise, reference)),
  list("ratpup", "treatment", weights = "proportional", contrasts = list(pairwise)),
  list("ratpup", "treatment", weights = "cells", contrasts = list(reference)),
  list("ratpup", "treatment", by = "sex", at = list(lsize = 10), contrasts = list(reference)),
  list("ratpup", "sex", at = list(lsize = 14, treatment = c("Control", "High")), contrasts = list(pairwise)),
  list("ratpup-varident", "treatment", weights = "proportional", contrasts = list(pairwise)),
  list("milk", "diet", contrasts = list(pairwise)),
  list("milk", "diet", by = "time", at = list(time = c(1, 10, 19)), contrasts = list(pairwise)),
  list("dialyzer", "qb", mode = "df.error", contrasts = list(pairwise)),
  list("dialyzer", "qb", by = "pressure", at = list(pressure = c(0.5, 1.5, 2.5)), mode = "df.error", contrasts = list(pairwise)),
  list("dialyzer", "qb", by = "pressure", at = list(pressure = c(0.5, 1.5, 2.5)), mode = "asymptotic"),
  list("alfalfa", "variety", by = "date", contrasts = list(pairwise)),
  list("alfalfa", "date", contrasts = list(family("trt.vs.ctrl", c(any_adjust, "dunnettx", "mvt"), ref = 2))),
  list("fev", "armcd", by = "avisit", mode = "df.error", contrasts = list(pairwise)),
  list("fev", "armcd", by = "avisit", mode = "df.error", weights = "proportional", contrasts = list(reference)),
  list("fev", "avisit", mode = "asymptotic", weights = "proportional", contrasts = list(consecutive)),
  list("fev-baseline", "race", mode = "df.error", contrasts = list(pairwise)),
  list("fev-baseline", "race", by = "armcd", at = list(fev1_bl = 40), mode = "df.error", weights = "cells", contrasts = list(reference)),
  list("lmer oats-split-plot-unbalanced", "nitro", contrasts = list(consecutive, polynomial)),
  list("lmer oats-split-plot-unbalanced", "variety", by = "nitro", contrasts = list(family("pairwise"))),
  list("lmer machines-nested-unbalanced", "machine", contrasts = list(family("pairwise"), family("trt.vs.ctrl"))),
  list("lmer ratpup-litter", "treatment", weights = "proportional", contrasts = list(family("pairwise"))),
  list("lmer orthodont-slope-sum-unbalanced", "sex", by = "age", at = list(age = c(8, 11, 14)), contrasts = list(family("pairwise")))
)

fit_of <- function(model) {
  data <- model_data(model$spec)
  if (is.null(model$lmer)) return(list(fit = findable(fit_spec(model$spec, data), data), data = data))
  formula <- as.formula(paste(model$spec$fixed, "+", model$lmer))
  assign("fitted_data", data, globalenv())
  fit <- lmer(formula, fitted_data, control = lmerControl(optimizer = newton, calc.derivs = FALSE))
  list(fit = fit, data = data)
}

frame_of <- function(summary, estimate) {
  labels <- c(intersect(c("contrast"), names(summary)), setdiff(attr(summary, "pri.vars"), "contrast"), attr(summary, "by.vars"))
  labels <- intersect(unique(labels), names(summary))
  numbers <- as.data.frame(summary)
  columns <- c(lapply(numbers[labels], as.character),
               list(estimate = numbers[[estimate]], se = numbers$SE, df = numbers$df))
  limits <- intersect(c("lower.CL", "asymp.LCL"), names(numbers))
  if (length(limits)) columns <- c(columns, list(lower = numbers[[limits]], upper = numbers[[sub("LCL", "UCL", sub("lower", "upper", limits))]]))
  ratio <- intersect(c("t.ratio", "z.ratio"), names(numbers))
  columns <- c(columns, list(t = numbers[[ratio]], p = numbers$p.value))
  table_of(columns)
}

rows_over <- function(emm) list(columns = I(colnames(emm@linfct)), values = unname(emm@linfct))

# Two-sided joint p by numerical integration to some 1e-5, where emmeans draws at random; families of one df only.
joint_p <- function(contrasts, by) {
  s <- as.data.frame(summary(contrasts, infer = c(FALSE, TRUE), adjust = "none"))
  V <- vcov(contrasts)
  ratio <- s[[intersect(c("t.ratio", "z.ratio"), names(s))]]
  groups <- if (length(by)) interaction(s[by], drop = TRUE) else factor(rep("all", nrow(s)))
  p <- numeric(nrow(s))
  for (group in levels(groups)) {
    rows <- which(groups == group)
    df <- unique(s$df[rows])
    if (length(df) > 1 || (is.finite(df) && df != round(df))) return(NULL)
    R <- cov2cor(V[rows, rows, drop = FALSE])
    for (i in rows) {
      bound <- rep(abs(ratio[i]), length(rows))
      set.seed(1)
      p[i] <- if (length(rows) == 1) { if (is.finite(df)) 2 * pt(-bound, df) else 2 * pnorm(-bound) } else
        1 - as.numeric(pmvt(-bound, bound, df = if (is.finite(df)) as.integer(df) else 0L, corr = R,
                            algorithm = GenzBretz(maxpts = 4e5, abseps = 1e-5)))
    }
  }
  p
}

contrasts_of <- function(emm, family, by) {
  method <- family$how
  made <- do.call(contrast, c(list(emm, method = method, by = by, adjust = "none"), family$options))
  adjusted <- lapply(setNames(nm = family$adjust), function(how) {
    set.seed(20240501)
    I(as.data.frame(summary(made, infer = c(FALSE, TRUE), adjust = how))$p.value)
  })
  if ("mvt" %in% family$adjust) adjusted$joint_to_1e_5 <- joint_p(made, by)
  list(how = if (is.character(method)) method else "custom", options = if (length(family$options)) family$options,
       custom = if (is.list(method)) lapply(method, I),
       table = frame_of(summary(made, infer = c(TRUE, TRUE), adjust = "none"), "estimate"),
       rows = rows_over(made), p = Filter(Negate(is.null), adjusted))
}

fits <- lapply(models, fit_of)

one <- function(grid) {
  name <- grid[[1]]
  message(name, ": ", paste(grid[[2]], collapse = ", "), if (length(grid$by)) paste(" by", grid$by))
  model <- models[[name]]
  assign("fitted_data", fits[[name]]$data, globalenv())
  fit <- fits[[name]]$fit
  is_lmer <- inherits(fit, "merMod")
  args <- list(fit, grid[[2]], by = grid$by, at = or(grid$at, list()), weights = or(grid$weights, "equal"), data = fits[[name]]$data)
  one_df <- function(mode) {
    if (is_lmer) args$lmer.df <- mode else args$mode <- mode
    emm <- do.call(emmeans, args)
    list(means = c(list(table = frame_of(summary(emm, infer = c(TRUE, TRUE), adjust = "none"), "emmean")), list(rows = rows_over(emm))),
         contrasts = lapply(or(grid$contrasts, list()), function(family) contrasts_of(emm, family, grid$by)))
  }
  modes <- if (is_lmer) c("kenward-roger", "satterthwaite") else or(grid$mode, "containment")
  said <- quietly(answers <- lapply(setNames(modes, modes), one_df))$said
  list(model = name, factors = I(grid[[2]]), by = I(or(grid$by, character())), at = if (length(grid$at)) lapply(grid$at, I),
       weights = or(grid$weights, "equal"), said = I(said), ddf = answers)
}

model_record <- function(name) {
  model <- models[[name]]
  fit <- fits[[name]]$fit
  if (is.null(model$record)) c(list(name = name), fit_record(model$spec, fit)) else
    list(name = name, spec = model$spec, record = model$record, coef_names = I(names(fixef(fit))), beta = I(unname(fixef(fit))))
}

write_record("means.json", "reference_means.R", versions("emmeans", "lme4", "pbkrtest", "mvtnorm"),
             models = lapply(names(models), model_record), grids = lapply(grids, one))
