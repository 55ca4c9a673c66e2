# clubSandwich's CR0, CR2 and CR3 covariances of lme and gls fits, its Satterthwaite t tests and its HTZ tests of
# several rows (Bell and McCaffrey 2002; Pustejovsky and Tipton 2018).
#     Rscript r_scripts/reference_cluster_robust.R     ->  tests/reference/fixed_effects/cluster_robust.json
source("r_scripts/reference_tools.R")
suppressPackageStartupMessages(library(clubSandwich))

ortho <- "distance ~ age * sex"
models <- list(
  list(name = "orthodont-slope", cluster = "subject", spec = list(data = "orthodont", fixed = ortho, random = "~ age | subject")),
  list(name = "orthodont-slope-ml", cluster = "subject",
       spec = list(data = "orthodont", fixed = ortho, random = "~ age | subject", method = "ML")),
  list(name = "orthodont-intercept-unbalanced", cluster = "subject",
       spec = list(data = "orthodont", omit = c(0, 1, 2, 14, 15, 31, 47, 64, 65, 66, 85, 86, 99), fixed = "distance ~ sex + age",
                   random = "~ 1 | subject")),
  list(name = "orthodont-varident", cluster = "subject",
       spec = list(data = "orthodont", omit = c(5, 6, 50, 71, 72), fixed = ortho, random = "~ 1 | subject", weights = "varIdent(form = ~ 1 | sex)")),
  list(name = "orthodont-gls-ar1", cluster = "subject",
       spec = list(data = "orthodont", fixed = ortho, correlation = "corAR1(form = ~ 1 | subject)")),
  list(name = "orthodont-gls-ar1-varident", cluster = "subject",
       spec = list(data = "orthodont", omit = c(107, 99, 98, 3, 15), fixed = ortho, correlation = "corAR1(form = ~ 1 | subject)",
                   weights = "varIdent(form = ~ 1 | sex)")),
  list(name = "orthodont-gls-compsymm", cluster = "subject",
       spec = list(data = "orthodont", fixed = ortho, correlation = "corCompSymm(form = ~ 1 | subject)")),
  list(name = "orthodont-gls-symm-varident", cluster = "subject",
       spec = list(data = "orthodont", fixed = ortho, correlation = "corSymm(form = ~ 1 | subject)", weights = "varIdent(form = ~ 1 | age)")),
  list(name = "oats-nested", cluster = "block", spec = list(data = "oats", fixed = "yield ~ nitro * variety", random = "~ 1 | block/variety")),
  list(name = "machines-nested-unbalanced", cluster = "worker",
       spec = list(data = "machines", omit = c(1, 2, 9, 20, 27, 28, 33, 40, 41, 52), fixed = "score ~ machine", random = "~ 1 | worker/machine")),
  list(name = "pixel-two-levels", cluster = "dog",
       spec = list(data = "pixel", fixed = "pixel ~ day + I(day^2)", random = list(dog = "~ day", side = "~ 1"))),
  list(name = "ratpup-litter", cluster = "litter",
       spec = list(data = "ratpupweight", fixed = "weight ~ treatment * sex + lsize", random = "~ 1 | litter")),
  list(name = "bodyweight-car1-varpower", cluster = "rat",
       spec = list(data = "bodyweight", fixed = "weight ~ time * diet", random = "~ time | rat", correlation = "corCAR1(form = ~ time | rat)",
                   weights = "varPower(form = ~ time)")),
  list(name = "ovary-ar1", cluster = "mare",
       spec = list(data = "ovary", fixed = "follicles ~ sin(2 * pi * time) + cos(2 * pi * time)", random = "~ 1 | mare",
                   correlation = "corAR1(form = ~ 1 | mare)")),
  list(name = "dialyzer-varpower", cluster = "subject",
       spec = list(data = "dialyzer", fixed = "rate ~ (pressure + I(pressure^2)) * qb", random = "~ 1 | subject",
                   weights = "varPower(form = ~ pressure)")),
  list(name = "sleepstudy-slope", cluster = "subject",
       spec = list(data = "sleepstudy", omit = seq(2, 179, by = 7), fixed = "reaction ~ days", random = "~ days | subject")),
  list(name = "wheat2-blocks", cluster = "block",     # as many clusters as rows of the hypothesis allow: four
       spec = list(data = "wheat2", fixed = "yield ~ latitude", correlation = "corExp(10, form = ~ latitude + longitude | block)"))
)

rows_of <- function(names_of) {
  p <- length(names_of)
  row <- function(...) replace(numeric(p), seq_along(c(...)), c(...))
  sets <- list(second = rbind(row(0, 1)), first_two = rbind(row(1, 0), row(0, 1)), mixed = if (p > 2) rbind(row(0, 1, -1), row(1, 0, 2)),
               all_but_first = diag(p)[-1, , drop = FALSE])
  Filter(Negate(is.null), sets[!duplicated(sets)])
}

one_type <- function(type, fit, cluster, names_of) {
  V <- vcovCR(fit, cluster = cluster, type = type)
  t <- coef_test(fit, vcov = V, test = "Satterthwaite")
  sets <- rows_of(names_of)
  tests <- unname(Map(function(label, L) {
    w <- Wald_test(fit, constraints = L, vcov = V, test = "HTZ")
    list(label = label, L = list(columns = I(names_of), values = unname(L)), df_num = w$df_num, df_den = w$df_denom, F = w$Fstat,
         p = w$p_val, delta = w$delta)
  }, names(sets), sets))
  usable <- vapply(tests, function(test) all(is.finite(unlist(test[c("df_den", "F", "p")]))) && test$df_den > 0, NA)
  list(vcov = matrix_of(as.matrix(V)[names_of, names_of]),
       coefficients = table_of(data.frame(coefficient = t$Coef, estimate = t$beta, se = t$SE, df = t$df_Satt, t = t$tstat, p = t$p_Satt)),
       hypotheses = lapply(tests[usable], function(x) x[lengths(x) > 0]),
       without_answer = I(vapply(tests[!usable], `[[`, "", "label")))
}

one <- function(model) {
  message(model$name)
  spec <- model$spec
  data <- model_data(spec)
  fit <- findable(fit_spec(spec, data), data)
  names_of <- names(if (inherits(fit, "lme")) fixef(fit) else coef(fit))
  said <- quietly(answers <- lapply(setNames(nm = c("CR0", "CR2", "CR3")), one_type, fit, data[[model$cluster]], names_of))$said
  c(list(name = model$name, cluster = model$cluster, clusters = nlevels(droplevels(factor(data[[model$cluster]])))), fit_record(spec, fit),
    list(said = I(said), robust = answers))
}

write_record("cluster_robust.json", "reference_cluster_robust.R", versions("clubSandwich"), models = lapply(models, one))
