# Fits models that together use every nlme structure, and stores what intervals() says of them
# beside what a snapshot needs to say the same:
#     Rscript r_scripts/reference_intervals.R tests/reference/intervals.json

library(nlme)
library(jsonlite)

loose <- list(returnObject = TRUE, maxIter = 200, msMaxIter = 200)
lme_ <- function(..., natural = TRUE, sigma = NULL)
  lme(..., control = do.call(lmeControl, c(loose, list(natural = natural, sigma = sigma))))
gls_ <- function(..., natural = TRUE, sigma = NULL)
  gls(..., control = do.call(glsControl, c(loose, list(natural = natural, sigma = sigma))))

Ovary_gap <- Ovary[-c(5, 40, 41, 100), ]
Ovary_gap$step <- ave(Ovary$Time, Ovary$Mare, FUN = seq_along)[-c(5, 40, 41, 100)]
Oats$fert <- factor(Oats$nitro)
Wheat2 <- subset(Wheat2, as.integer(Block) <= 2)
Wiggly <- local({
  set.seed(1)
  d <- expand.grid(obs = 1:12, g = factor(1:30))
  d$x <- d$obs / 6 - 1
  d$f <- factor(letters[1 + d$obs %% 3])
  b <- matrix(rnorm(150), 30) %*% chol(diag(5) / 2 + .5)
  d$y <- rowSums(cbind(d$x, d$x^2, model.matrix(~ f - 1, d)) * b[d$g, ]) + rnorm(360, sd = .5)
  d
})
Ortho <- Orthodont
Ortho$visit <- factor(Ortho$age)

growth <- distance ~ age
wave <- follicles ~ sin(2 * pi * Time) + cos(2 * pi * Time)

models <- list(
  # pdMat, both parameterisations
  int_reml = quote(lme_(growth, Ortho, ~ 1 | Subject)),
  int_ml = quote(lme_(growth, Ortho, ~ 1 | Subject, method = "ML")),
  int_chol = quote(lme_(growth, Ortho, ~ 1 | Subject, natural = FALSE)),
  slope_reml = quote(lme_(distance ~ age * Sex, Ortho, ~ age | Subject)),
  slope_ml = quote(lme_(growth, Ortho, ~ age | Subject, method = "ML")),
  slope_chol = quote(lme_(growth, Ortho, ~ age | Subject, natural = FALSE)),
  three = quote(lme_(score ~ Machine, Machines, ~ Machine - 1 | Worker)),
  three_chol = quote(lme_(score ~ Machine, Machines, ~ Machine - 1 | Worker, natural = FALSE)),
  four = quote(lme_(height ~ age, Oxboys, ~ age + I(age^2) + I(age^3) | Subject)),
  four_chol = quote(lme_(height ~ age, Oxboys, ~ age + I(age^2) + I(age^3) | Subject,
                         natural = FALSE)),
  four_log = quote(lme_(height ~ age, Oxboys,
                        list(Subject = pdSymm(~ age + I(age^2) + I(age^3))), natural = FALSE)),
  symm = quote(lme_(score ~ Machine, Machines, list(Worker = pdSymm(~ Machine - 1)))),
  symm_log = quote(lme_(score ~ Machine, Machines, list(Worker = pdSymm(~ Machine - 1)),
                        natural = FALSE)),
  natural = quote(lme_(growth, Ortho, list(Subject = pdNatural(~ age)))),
  natural_false = quote(lme_(growth, Ortho, list(Subject = pdNatural(~ age)), natural = FALSE)),
  diag = quote(lme_(growth, Ortho, list(Subject = pdDiag(~ age)))),
  ident = quote(lme_(score ~ Machine, Machines, list(Worker = pdIdent(~ Machine - 1)))),
  ident_one = quote(lme_(growth, Ortho, list(Subject = pdIdent(~ 1)))),
  compsymm = quote(lme_(score ~ Machine, Machines, list(Worker = pdCompSymm(~ Machine - 1)))),
  blocked = quote(lme_(score ~ Machine, Machines,
    list(Worker = pdBlocked(list(pdIdent(~ 1), pdIdent(~ Machine - 1)))))),
  blocked_mixed = quote(lme_(yield ~ fert, Oats,
    list(Block = pdBlocked(list(pdLogChol(~ nitro), pdIdent(~ Variety - 1)))))),
  blocked_compsymm = quote(lme_(y ~ 1, Wiggly,
    list(g = pdBlocked(list(pdSymm(~ x + I(x^2) - 1), pdCompSymm(~ f - 1)))))),
  blocked_compsymm_log = quote(lme_(y ~ 1, Wiggly,
    list(g = pdBlocked(list(pdSymm(~ x + I(x^2) - 1), pdCompSymm(~ f - 1)))), natural = FALSE)),
  blocked_diag = quote(lme_(score ~ Machine, Machines,
    list(Worker = pdBlocked(list(pdDiag(~ 1), pdLogChol(~ Machine - 1)))))),
  # levels
  nested = quote(lme_(yield ~ nitro, Oats, ~ 1 | Block/Variety)),
  nested_ml = quote(lme_(pixel ~ day + I(day^2), Pixel, list(Dog = ~ day, Side = ~ 1),
                         method = "ML")),
  nested_chol = quote(lme_(pixel ~ day + I(day^2), Pixel, list(Dog = ~ day, Side = ~ 1),
                           natural = FALSE)),
  repeated_group = quote(lme_(score ~ Machine, Machines,
    list(Worker = ~ 1, Worker = pdIdent(~ Machine - 1)))),
  # corStruct
  ar1 = quote(lme_(wave, Ovary, list(Mare = pdDiag(~ sin(2 * pi * Time))),
                   correlation = corAR1())),
  ar1_gap = quote(gls_(wave, Ovary_gap, correlation = corAR1(form = ~ step | Mare))),
  car1 = quote(gls_(wave, Ovary, correlation = corCAR1(form = ~ Time | Mare))),
  cor_compsymm = quote(gls_(growth, Ortho, correlation = corCompSymm(form = ~ 1 | Subject))),
  cor_symm = quote(gls_(growth, Ortho, correlation = corSymm(form = ~ 1 | Subject))),
  cor_symm_spherical = quote(gls_(growth, Ortho, correlation = corSymm(form = ~ 1 | Subject),
                                  natural = FALSE)),
  cor_symm_lme = quote(lme_(growth, Ortho, list(Subject = pdDiag(~ age - 1)),
                            correlation = corSymm(form = ~ 1 | Subject))),
  arma30 = quote(gls_(wave, Ovary, correlation = corARMA(form = ~ 1 | Mare, p = 3))),
  arma03 = quote(gls_(wave, Ovary, correlation = corARMA(form = ~ 1 | Mare, q = 3),
                      method = "ML")),
  arma11 = quote(lme_(wave, Ovary, ~ 1 | Mare, correlation = corARMA(p = 1, q = 1))),
  arma22 = quote(gls_(wave, Ovary, correlation = corARMA(form = ~ 1 | Mare, p = 2, q = 2))),
  ma1 = quote(gls_(wave, Ovary, correlation = corARMA(form = ~ 1 | Mare, q = 1))),
  exp = quote(lme_(weight ~ Time * Diet, BodyWeight, ~ Time,
                   correlation = corExp(form = ~ Time))),
  gaus = quote(gls_(yield ~ variety - 1, Wheat2,
                    correlation = corGaus(c(28, .2), form = ~ latitude + longitude | Block,
                                          nugget = TRUE))),
  ratio = quote(gls_(yield ~ variety - 1, Wheat2,
                     correlation = corRatio(c(12, .2), form = ~ latitude + longitude | Block,
                                            nugget = TRUE))),
  lin = quote(gls_(yield ~ variety - 1, Wheat2,
                   correlation = corLin(c(20, .3), form = ~ latitude + longitude | Block,
                                        nugget = TRUE))),
  spher = quote(gls_(yield ~ variety - 1, Wheat2,
                     correlation = corSpher(c(20), form = ~ latitude + longitude | Block))),
  cor_fixed = quote(lme_(growth, Ortho, ~ 1 | Subject, correlation = corAR1(.3, fixed = TRUE))),
  # varFunc
  var_fixed = quote(lme_(growth, Ortho, ~ 1 | Subject, weights = varFixed(~ age))),
  var_ident = quote(lme_(growth, Ortho, ~ 1 | Subject, weights = varIdent(form = ~ 1 | Sex))),
  var_ident_fixed = quote(gls_(score ~ Machine, Machines,
    weights = varIdent(c(B = 1.5), ~ 1 | Machine, fixed = c(C = 1.2)))),
  var_ident_two = quote(gls_(growth, Ortho, weights = varIdent(form = ~ 1 | Sex * visit))),
  var_power = quote(lme_(weight ~ Time * Diet, BodyWeight, ~ Time, weights = varPower())),
  var_power_strata = quote(gls_(growth, Ortho, weights = varPower(form = ~ age | Sex))),
  var_power_fixed = quote(gls_(growth, Ortho,
    weights = varPower(form = ~ age | Sex, fixed = c(Male = .5)))),
  var_exp = quote(gls_(growth, Ortho, weights = varExp(form = ~ age), method = "ML")),
  var_const_power = quote(lme_(rate ~ (pressure + I(pressure^2)) * QB, Dialyzer, ~ 1 | Subject,
    weights = varConstPower(form = ~ pressure))),
  var_const_power_strata = quote(lme_(rate ~ (pressure + I(pressure^2)) * QB, Dialyzer,
    ~ 1 | Subject, weights = varConstPower(form = ~ pressure | QB))),
  var_const_power_fixed = quote(gls_(rate ~ (pressure + I(pressure^2)) * QB, Dialyzer,
    weights = varConstPower(form = ~ pressure | QB, fixed = list(const = c(`200` = .3))))),
  var_const_prop = quote(gls_(rate ~ (pressure + I(pressure^2)) * QB, Dialyzer,
    weights = varConstProp(form = ~ pressure), method = "ML")),
  var_const_prop_fixed = quote(gls_(rate ~ (pressure + I(pressure^2)) * QB, Dialyzer,
    weights = varConstProp(form = ~ pressure | QB, fixed = list(prop = c(`200` = .3))))),
  not_positive = quote(gls_(rate ~ (pressure + I(pressure^2)) * QB, Dialyzer,
    weights = varConstProp(form = ~ pressure), sigma = 1)),
  var_comb = quote(lme_(growth, Ortho, ~ 1 | Subject,
    weights = varComb(varIdent(form = ~ 1 | Sex), varPower(form = ~ age)))),
  var_comb_strata = quote(gls_(growth, Ortho,
    weights = varComb(varIdent(form = ~ 1 | Sex), varExp(form = ~ age | Sex)))),
  var_comb_const = quote(gls_(rate ~ (pressure + I(pressure^2)) * QB, Dialyzer,
    weights = varComb(varIdent(form = ~ 1 | QB), varConstPower(form = ~ pressure)))),
  # together, and without
  everything = quote(lme_(weight ~ Time * Diet, BodyWeight, ~ Time, weights = varPower(),
    correlation = corExp(form = ~ Time))),
  ar1_ident = quote(gls_(wave, Ovary, correlation = corAR1(form = ~ 1 | Mare),
    weights = varPower(form = ~ fitted(.)))),
  plain_reml = quote(gls_(growth, Ortho)),
  plain_ml = quote(gls_(growth, Ortho, method = "ML")),
  plain_sigma = quote(gls_(growth, Ortho, sigma = 2)),
  sigma_lme = quote(lme_(growth, Ortho, ~ age | Subject, sigma = 1.4)),
  sigma_gls = quote(gls_(growth, Ortho, correlation = corAR1(form = ~ 1 | Subject), sigma = 2))
)

pd_block <- function(pd)
  list(pd_class = class(pd)[1], names = I(Names(pd)), formula = deparse(formula(pd)[[2]]))

random_level <- function(group, pd, sigma)
  list(group = group, names = I(Names(pd)), D = sigma^2 * unname(as.matrix(pd)),
       blocks = if (inherits(pd, "pdBlocked")) lapply(unname(unclass(pd)), pd_block)
                else list(pd_block(pd)))

cor_struct <- function(cs) {
  or <- function(name, default) { a <- attr(cs, name); if (is.null(a)) default else a }
  value <- coef(cs, unconstrained = FALSE)
  size <- or("maxCov", NA)
  pairs <- function(m) outer(1:m, 1:m, function(x, y) paste0("cor(", y, ",", x, ")"))
  label <- if (is.null(names(value))) pairs(size)[lower.tri(diag(size))] else names(value)
  list(cor_class = class(cs)[1], names = I(label), values = I(unname(value)),
       fixed = attr(cs, "fixed"), p = or("p", 0), q = or("q", 0),
       size = if (is.na(size)) 0 else size,
       lower = or("inf", 0), min_distance = or("minD", 0), nugget = or("nugget", FALSE))
}

var_func <- function(v, tag) {
  out <- function(names, values, free)
    list(var_class = class(v)[1], tag = tag, names = I(names), values = I(unname(values)),
         free = I(as.vector(free)))
  which_fix <- attr(v, "whichFix")
  free <- if (is.null(which_fix)) logical() else !which_fix
  strata <- attr(v, "groupNames")
  all_coef <- coef(v, unconstrained = FALSE, allCoef = TRUE)
  switch(class(v)[1],
    varFixed = out(character(), numeric(), logical()),
    varIdent = out(strata, all_coef, c(FALSE, free)),
    varPower = out(if (is.null(strata)) "power" else strata, all_coef, free),
    varExp = out(if (is.null(strata)) "expon" else strata, all_coef, free),
    {
      stem <- rep(rownames(free), each = ncol(free))
      out(if (ncol(free) > 1) paste(stem, strata, sep = ".") else stem,
          as.vector(t(matrix(unlist(all_coef), 2))), t(free))
    })
}

var_parts <- function(vs) {
  if (is.null(vs)) return(list())
  if (inherits(vs, "varComb")) unname(Map(var_func, unclass(vs), names(vs)))
  else list(var_func(vs, ""))
}

ap_var <- function(a) {
  if (is.null(a)) return(list(reason = "no free parameter"))
  if (is.character(a)) return(list(reason = c(a)))
  pars <- attr(a, "Pars")
  list(names = I(names(pars)), pars = I(unname(pars)), natural = attr(a, "natural"),
       cov = matrix(as.vector(a), length(pars)))
}

rows <- function(part, x) {
  if (is.null(dim(x))) x <- matrix(x, 1, dimnames = list("sigma", NULL))
  list(part = part, names = if (is.null(rownames(x))) NULL else I(rownames(x)),
       lower = I(as.vector(x[, 1])), est = I(as.vector(x[, 2])), upper = I(as.vector(x[, 3])))
}

var_cov_intervals <- function(fit) {
  x <- try(intervals(fit, which = "var-cov"), silent = TRUE)
  if (inherits(x, "try-error")) return(list())
  groups <- paste0("reStruct.", make.unique(as.character(names(x$reStruct))), recycle0 = TRUE)
  re <- Map(rows, groups, lapply(x$reStruct, as.matrix))
  rest <- intersect(c("corStruct", "varStruct", "sigma"), names(x))
  c(unname(re), lapply(rest, function(part) rows(part, unclass(x[[part]]))))
}

describe <- function(name) {
  fit <- tryCatch(eval(models[[name]]), error = function(e) stop(name, ": ", conditionMessage(e)))
  ms <- fit$modelStruct
  list(name = name, call = paste(trimws(deparse(models[[name]])), collapse = " "),
       kind = class(fit)[1], method = fit$method, n = fit$dims$N,
       p = length(if (inherits(fit, "lme")) fixef(fit) else coef(fit)), sigma = c(fit$sigma),
       fixed_sigma = isTRUE(attr(ms, "fixedSigma")),
       levels = unname(Map(random_level, make.unique(as.character(rev(names(ms$reStruct)))),
                           rev(unclass(ms$reStruct)), fit$sigma)),
       cor = if (!is.null(ms$corStruct)) cor_struct(ms$corStruct),
       var = var_parts(ms$varStruct), apvar = ap_var(fit$apVar),
       intervals = var_cov_intervals(fit))
}

header <- list(generator = "r_scripts/reference_intervals.R", R = R.version.string,
               nlme = as.character(packageVersion("nlme")))
out <- c(header, list(models = lapply(names(models), describe)))
target <- commandArgs(trailingOnly = TRUE)[1]
write_json(out, target, auto_unbox = TRUE, digits = I(17), null = "null", na = "string")
