# lmeInfo's standardised mean differences g_mlm with their intervals CI_g: the package's own examples on Bryant2016,
# and models of other shapes.
#     Rscript r_scripts/reference_effect_size.R     ->  tests/reference/fixed_effects/effect_size.json
source("r_scripts/reference_tools.R")
suppressPackageStartupMessages(library(lmeInfo))

bryant <- list(data = "bryant2016", fixed = "outcome ~ treatment", random = "~ 1 | school/case",
               correlation = "corAR1(0, form = ~ session | school/case)")
ortho <- list(data = "orthodont", fixed = "distance ~ age * sex")
specs <- list(
  bryant = bryant,
  `bryant-ml` = c(bryant, list(method = "ML")),
  `bryant-case` = list(data = "bryant2016", fixed = "outcome ~ treatment + trt_time", random = "~ 1 | school/case"),
  `bryant-varident` = c(bryant, list(weights = "varIdent(form = ~ 1 | treatment)")),
  `orthodont-intercept` = list(data = "orthodont", fixed = "distance ~ age + sex", random = "~ 1 | subject"),
  `orthodont-intercept-ml` = list(data = "orthodont", fixed = "distance ~ age + sex", random = "~ 1 | subject", method = "ML"),
  `orthodont-slope` = c(ortho, list(random = "~ age | subject")),
  `orthodont-gls` = c(ortho, list(correlation = "corAR1(form = ~ 1 | subject)")),
  `bodyweight-car1` = list(data = "bodyweight", fixed = "weight ~ time * diet", random = "~ 1 | rat", correlation = "corCAR1(form = ~ time | rat)"),
  `ratpup` = list(data = "ratpupweight", fixed = "weight ~ treatment + sex + lsize", random = "~ 1 | litter"))

# model, p over the coefficients, r over lmeInfo's components; at age 11 the variance of a child's measurement is
# var(intercept) + 22 cov + 121 var(slope) + sigma^2.
effects <- list(
  list("bryant", c(0, 1), c(1, 1, 0, 1)),
  list("bryant", c(0, 1), c(1, 1, 0, 1), type = "average"),
  list("bryant-ml", c(0, 1), c(1, 1, 0, 1)),
  list("bryant-case", c(0, 1, 5), c(1, 1, 1)),
  list("bryant-varident", c(0, 1), c(1, 1, 0, 0, 1)),
  list("bryant-varident", c(0, 1), c(1, 1, 0, 1, 0), separate = TRUE),
  list("bryant-varident", c(0, 1), c(1, 1, 0, 0, 1), separate = TRUE),
  list("bryant-varident", c(0, 1), c(1, 1, 0, 1), denominator = "bryant"),
  list("orthodont-intercept", c(0, 0, 1), c(1, 1)),
  list("orthodont-intercept", c(0, 6, 0), c(1, 1)),
  list("orthodont-intercept", c(0, 0, 1), c(0, 1)),
  list("orthodont-intercept", c(1, 11, 0), c(1, 1)),     # beyond the noncentrality that R's pt takes
  list("orthodont-intercept-ml", c(0, 0, 1), c(1, 1)),
  list("orthodont-slope", c(0, 0, 1, 11), c(1, 22, 121, 1)),
  list("orthodont-slope", c(0, 0, 1, 11), c(1, 22, 121, 1), type = "average"),
  list("orthodont-gls", c(0, 0, 1, 14), c(0, 1)),
  list("bodyweight-car1", c(0, 0, 1, 0, 30, 0), c(1, 0, 1)),
  list("ratpup", c(0, 0, 1, 0, 0), c(1, 1)))

fits <- lapply(specs, function(spec) {
  data <- model_data(spec)
  list(data = data, fit = findable(fit_spec(spec, data), data))
})

interval <- function(g, level, symmetric) {
  ci <- quietly(CI_g(g, cover = level, symmetric = symmetric))
  method <- if (symmetric) "symmetric" else "noncentral"
  if (anyNA(ci$value)) return(list(level = level, method = method, refused = TRUE, said = I(ci$said)))
  list(level = level, method = method, lower = ci$value[1], upper = ci$value[2],
       at_bound = any(abs(abs(ci$value) / g$kappa - 35) < 1e-6), said = I(ci$said))
}

one <- function(effect) {
  name <- effect[[1]]
  message(name)
  assign("fitted_data", fits[[name]]$data, globalenv())
  fit <- fits[[name]]$fit
  type <- or(effect$type, "expected")
  denominator <- fits[[or(effect$denominator, name)]]$fit
  done <- quietly(g_mlm(fit, p_const = effect[[2]], mod_denom = denominator, r_const = effect[[3]], infotype = type,
                        separate_variances = isTRUE(effect$separate)))
  g <- done$value
  list(model = name, denominator = or(effect$denominator, name), p = effect[[2]], r = effect[[3]], information = type,
       separate_variances = isTRUE(effect$separate), said = I(done$said),
       components = list(names = I(colnames(g$info_inv)), estimates = I(unname(unlist(g$theta))), cov = unname(g$info_inv)),
       p_beta = g$p_beta, r_theta = g$r_theta, delta = g$delta_AB, df = g$nu, J = g$J_nu, kappa = g$kappa, g = g$g_AB, se = g$SE_g_AB,
       intervals = unlist(lapply(c(0.95, 0.90), function(level) lapply(c(TRUE, FALSE), function(s) interval(g, level, s))), FALSE))
}

write_record("effect_size.json", "reference_effect_size.R", versions("lmeInfo"),
             models = unname(Map(function(name, spec) c(list(name = name), fit_record(spec, fits[[name]]$fit)), names(specs), specs)),
             effects = lapply(effects, one))
