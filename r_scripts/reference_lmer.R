# pbkrtest's Kenward-Roger and lmerTest's Satterthwaite and F tests on models that lmer and lme both fit, unbalanced
# ones included. lmer is driven to its optimum by Newton steps, and its components stand in the record, so that another
# program can be evaluated at the very same place; lme's own optimum stands beside them.
#     Rscript r_scripts/reference_lmer.R     ->  tests/reference/fixed_effects/lmer.json
source("r_scripts/reference_tools.R")
suppressPackageStartupMessages({
  library(lme4)
  library(lmerTest)
  library(pbkrtest)
  })
lmer <- lme4::lmer   # lmerTest's own is made of it below

tight <- list(tolerance = 1e-10, msTol = 1e-12, maxIter = 500, msMaxIter = 500, niterEM = 50)

spread <- function(n, first, step) seq(first, n - 1, by = step)   # positions left out, from 0

# `lmer`: the formula of the random effects; `levels`: group and the terms of lmer that make its D, outermost first.
models <- list(
  list(name = "orthodont-slope",
       spec = list(data = "orthodont", fixed = "distance ~ age * sex", random = "~ age | subject"),
       lmer = "(age | subject)", levels = list(subject = "subject")),
  list(name = "orthodont-slope-sum-unbalanced",
       spec = list(data = "orthodont", omit = c(3, 10, 17, 25, 26, 41, 58, 59, 60, 77, 90, 105), fixed = "distance ~ age * sex",
                   random = "~ age | subject", contrasts = list(sex = "contr.sum")),
       lmer = "(age | subject)", levels = list(subject = "subject")),
  list(name = "orthodont-intercept-unbalanced",
       spec = list(data = "orthodont", omit = c(0, 1, 2, 14, 15, 31, 47, 64, 65, 66, 85, 86, 99), fixed = "distance ~ sex + age",
                   random = "~ 1 | subject"),
       lmer = "(1 | subject)", levels = list(subject = "subject")),
  list(name = "orthodont-slope-ml", method = "ML",
       spec = list(data = "orthodont", omit = c(3, 10, 17, 25, 26, 41, 58, 59, 60, 77, 90, 105), fixed = "distance ~ age * sex",
                   random = "~ age | subject", method = "ML"),
       lmer = "(age | subject)", levels = list(subject = "subject")),
  list(name = "machines-nested-unbalanced",
       spec = list(data = "machines", omit = c(1, 2, 9, 20, 27, 28, 33, 40, 41, 52), fixed = "score ~ machine",
                   random = "~ 1 | worker/machine"),
       lmer = "(1 | worker / machine)", levels = list(worker = "worker", machine = "machine:worker")),
  list(name = "machines-three-effects",
       spec = list(data = "machines", omit = c(0, 4, 22, 37), fixed = "score ~ machine", random = "~ machine - 1 | worker"),
       lmer = "(machine - 1 | worker)", levels = list(worker = "worker")),
  list(name = "oats-split-plot",
       spec = list(data = "oats", fixed = "yield ~ factor(nitro) * variety", random = "~ 1 | block/variety"),
       lmer = "(1 | block / variety)", levels = list(block = "block", variety = "variety:block")),
  list(name = "oats-split-plot-unbalanced",
       spec = list(data = "oats", omit = c(0, 5, 6, 19, 33, 34, 35, 50, 61), fixed = "yield ~ factor(nitro) * variety",
                   random = "~ 1 | block/variety"),
       lmer = "(1 | block / variety)", levels = list(block = "block", variety = "variety:block")),
  list(name = "rail-unbalanced",
       spec = list(data = "rail", omit = c(0, 1, 7, 16), fixed = "travel ~ 1", random = "~ 1 | rail"),
       lmer = "(1 | rail)", levels = list(rail = "rail")),
  list(name = "ergostool-unbalanced",
       spec = list(data = "ergostool", omit = c(2, 9, 10, 31), fixed = "effort ~ type", random = "~ 1 | subject"),
       lmer = "(1 | subject)", levels = list(subject = "subject")),
  list(name = "pixel-two-levels",
       spec = list(data = "pixel", fixed = "pixel ~ day + I(day^2)", random = list(dog = "~ day", side = "~ 1")),
       lmer = "(day | dog) + (1 | dog:side)", levels = list(dog = "dog", side = "dog:side")),
  list(name = "oxboys-slope-unbalanced",
       spec = list(data = "oxboys", omit = spread(234, 4, 11), fixed = "height ~ age + I(age^2)", random = "~ age | subject"),
       lmer = "(age | subject)", levels = list(subject = "subject")),
  list(name = "oxboys-diagonal-unbalanced",
       spec = list(data = "oxboys", omit = spread(234, 7, 9), fixed = "height ~ age + I(age^2)",
                   random = list(subject = "pdDiag(~ age)")),
       lmer = "(age || subject)", levels = list(subject = c("subject", "subject.1"))),
  list(name = "milk-few-cows",
       spec = list(data = "milk", fixed = "protein ~ diet * time", random = "~ time | cow"),
       keep = list(column = "cow", values = c("B01", "B02", "B03", "B04", "B05", "B06", "BL1", "L01", "L02", "L03", "L04", "L05",
                                              "BL02", "BL03", "BL04", "BL05", "BL06")),
       lmer = "(time | cow)", levels = list(cow = "cow")),
  list(name = "ratpup-litter",
       spec = list(data = "ratpupweight", fixed = "weight ~ treatment * sex + lsize", random = "~ 1 | litter"),
       lmer = "(1 | litter)", levels = list(litter = "litter")),
  list(name = "alfalfa-unbalanced",
       spec = list(data = "alfalfa", omit = c(3, 4, 18, 29, 30, 47, 66), fixed = "yield ~ variety * date", random = "~ 1 | block/variety"),
       lmer = "(1 | block / variety)", levels = list(block = "block", variety = "variety:block")),
  list(name = "assay-split-block-unbalanced",
       spec = list(data = "assay", omit = c(1, 15, 25, 26, 54), fixed = "logdens ~ sample + dilut",
                   random = list(block = list(class = "pdBlocked", blocks = list("pdIdent(~ 1)", "pdIdent(~ sample - 1)", "pdIdent(~ dilut - 1)")))),
       lmer = "(1 | block) + (1 | block:sample) + (1 | block:dilut)",
       levels = list(block = c("block", "block:sample*6", "block:dilut*5"))),
  list(name = "sleepstudy-slope-unbalanced",
       spec = list(data = "sleepstudy", omit = spread(180, 2, 7), fixed = "reaction ~ days", random = "~ days | subject"),
       lmer = "(days | subject)", levels = list(subject = "subject")),
  list(name = "sleepstudy-slope",
       spec = list(data = "sleepstudy", fixed = "reaction ~ days", random = "~ days | subject"),
       lmer = "(days | subject)", levels = list(subject = "subject")),
  list(name = "oxide-three-levels",
       spec = list(data = "oxide", omit = c(1, 2, 3, 17, 40, 55, 56), fixed = "thickness ~ source", random = "~ 1 | lot/wafer"),
       lmer = "(1 | lot / wafer)", levels = list(lot = "lot", wafer = "wafer:lot"))
)

blocks_of <- function(fit, terms) {   # "name*k": a variance k times over, as pdIdent has it
  cov <- VarCorr(fit)
  D <- lapply(strsplit(terms, "*", fixed = TRUE), function(term) {
    block <- unclass(cov[[term[1]]])
    attributes(block) <- list(dim = dim(block))
    if (length(term) == 2) diag(block[1], as.integer(term[2])) else block
  })
  as.matrix(bdiag(D))
}

table_F <- function(a) table_of(data.frame(term = rownames(a), df_num = a$NumDF, df_den = a$DenDF, F = a$`F value`, p = a$`Pr(>F)`))

coefficients_of <- function(fit, ddf, adjusted) {
  beta <- fixef(fit)
  t <- if (ddf == "Kenward-Roger") {
    se <- sqrt(diag(as.matrix(adjusted)))
    df <- vapply(seq_along(beta), function(i) as.numeric(Lb_ddf(replace(numeric(length(beta)), i, 1), vcov(fit), adjusted)), 0)
    data.frame(estimate = beta, se = se, df = df, t = beta / se, p = 2 * pt(-abs(beta / se), df))
  } else {
    s <- coef(summary(fit, ddf = ddf))
    data.frame(estimate = s[, 1], se = s[, 2], df = s[, 3], t = s[, 4], p = s[, 5])
  }
  table_of(cbind(coefficient = names(beta), t))
}

hypotheses <- function(fit, reml, adjusted) {
  p <- length(fixef(fit))
  names_of <- names(fixef(fit))
  row <- function(...) replace(numeric(p), seq_len(min(p, ...length())), c(...)[seq_len(min(p, ...length()))])
  sets <- list(first_and_second = rbind(row(1, 2)), two_rows = rbind(row(0, 1, 0.5), row(0, 0, 1)),
               all_but_first = diag(p)[-1, , drop = FALSE])
  if (p < 2) sets <- sets[1]
  if (p < 3) sets$two_rows <- NULL
  sets <- sets[!duplicated(sets)]
  unname(Map(function(label, L) {
    colnames(L) <- names_of
    satterthwaite <- contestMD(fit, L, ddf = "Satterthwaite")
    answer <- list(label = label, L = list(columns = I(names_of), values = unname(L)),
                   satterthwaite = list(df_num = satterthwaite$NumDF, df_den = satterthwaite$DenDF, F = satterthwaite$`F value`, p = satterthwaite$`Pr(>F)`))
    if (reml) {
      kr <- KRmodcomp(fit, L)
      get <- function(what) as.numeric(getKR(kr, what))
      answer$kenward_roger <- list(df_num = get("ndf"), df_den = get("ddf"), F = get("Fstat"), p = get("p.value"),
                                   scaling = get("F.scaling"), F_unscaled = get("FstatU"))
    }
    answer
  }, names(sets), sets))
}

one <- function(model) {
  message(model$name)
  spec <- model$spec
  if (!is.null(model$keep)) {
    column <- shipped(spec$data)[[model$keep$column]]
    spec$omit <- which(!column %in% model$keep$values) - 1L
  }
  reml <- !identical(spec$method, "ML")
  data <- model_data(spec)
  formula <- as.formula(paste(spec$fixed, "+", model$lmer))
  fit <- lmer(formula, data, REML = reml, control = lmerControl(optimizer = newton, calc.derivs = FALSE))
  stopifnot("not at an interior optimum" = !isSingular(fit, tol = 1e-4))
  deviance_function <- update(fit, devFunOnly = TRUE)
  slope <- max(abs(numDeriv::grad(deviance_function, getME(fit, "theta"))))
  said <- quietly(tested <- as_lmerModLmerTest(fit))$said
  adjusted <- if (reml) vcovAdj(fit)
  nlme_spec <- c(spec, list(control = tight))
  by_lme <- fit_spec(nlme_spec, data)
  design <- design_record(nlme_spec, by_lme, data)
  for (i in seq_along(design$levels)) {
    level <- design$levels[[i]]
    D <- blocks_of(fit, model$levels[[level$group]])
    stopifnot(dim(D) == dim(level$D), max(abs(D - level$D)) < 1e-3 * max(abs(D)))
    design$levels[[i]]$D <- D
  }
  lmer_record <- list(
    formula = paste(deparse(formula, width.cutoff = 500), collapse = ""), n = nobs(fit), coef_names = I(names(fixef(fit))),
    beta = I(unname(fixef(fit))), sigma = sigma(fit), log_lik = as.numeric(logLik(fit)), largest_slope = slope,
    vcov = unname(as.matrix(vcov(fit))), design = design)
  kr <- c("Satterthwaite", if (reml) "Kenward-Roger")
  anovas <- lapply(setNames(kr, gsub("-", "_", tolower(kr))), function(ddf)
    lapply(c(I = "I", II = "II", III = "III"), function(type) table_F(anova(tested, type = type, ddf = ddf))))
  if (!length(attr(terms(as.formula(spec$fixed)), "term.labels"))) anovas <- NULL
  tables <- lapply(setNames(kr, gsub("-", "_", tolower(kr))), function(ddf) coefficients_of(tested, ddf, adjusted))
  c(list(name = model$name, spec = spec, method = if (reml) "REML" else "ML", said = I(said)), list(lmer = lmer_record),
    list(kr_vcov = if (reml) unname(as.matrix(adjusted)), coefficients = tables, anova = anovas,
         hypotheses = hypotheses(tested, reml, adjusted), lme = fit_record(nlme_spec, by_lme)))
}

# A variance estimated as zero: the answers are those of the model without it, whose components stand in the record.
on_the_boundary <- function() {
  message("assay-boundary")
  effects <- list("pdIdent(~ 1)", "pdIdent(~ sample - 1)", "pdIdent(~ dilut - 1)")
  spec <- list(data = "assay", fixed = "logdens ~ sample + dilut", random = list(block = list(class = "pdBlocked", blocks = effects)))
  without <- list(data = "assay", fixed = "logdens ~ sample + dilut", random = list(block = list(class = "pdBlocked", blocks = effects[-3])))
  data <- model_data(spec)
  full <- suppressMessages(lmer(logdens ~ sample + dilut + (1 | block) + (1 | block:sample) + (1 | block:dilut), data))
  stopifnot(VarCorr(full)[["block:dilut"]][1] == 0)
  fit <- lmer(logdens ~ sample + dilut + (1 | block) + (1 | block:sample), data,
              control = lmerControl(optimizer = newton, calc.derivs = FALSE))
  tested <- as_lmerModLmerTest(fit)
  adjusted <- vcovAdj(fit)
  by_lme <- fit_spec(c(without, list(control = tight)), data)
  design <- design_record(without, by_lme, data)
  cov <- VarCorr(fit)
  Z <- cbind(1, model.matrix(~ sample - 1, data), model.matrix(~ dilut - 1, data))[match(design$rows, data$row), ]
  stopifnot(length(design$levels) == 1)
  design$levels[[1]] <- list(group = "block", pd_class = "pdBlocked", names = I(colnames(Z)), codes = design$levels[[1]]$codes,
                             Z = unname(Z), D = unname(diag(rep(c(cov$block[1], cov$`block:sample`[1], 0), c(1, 6, 5)))))
  design$levels[[1]]$names[1] <- "(Intercept)"
  list(name = "assay-boundary", spec = spec, method = "REML", zero = "the variance of dilut within block",
       lmer = list(formula = paste(deparse(formula(fit)), collapse = ""), n = nobs(fit), coef_names = I(names(fixef(fit))), beta = I(unname(fixef(fit))),
                   sigma = sigma(fit), log_lik = as.numeric(logLik(fit)), vcov = unname(as.matrix(vcov(fit))), design = design),
       kr_vcov = unname(as.matrix(adjusted)),
       coefficients = list(satterthwaite = coefficients_of(tested, "Satterthwaite", adjusted),
                           kenward_roger = coefficients_of(tested, "Kenward-Roger", adjusted)),
       hypotheses = hypotheses(tested, TRUE, adjusted))
}

write_record("lmer.json", "reference_lmer.R", versions("lme4", "lmerTest", "pbkrtest"), models = lapply(models, one),
             boundary = list(on_the_boundary()))
