# Everything that Python will need to know of a fit, in one plain answer.

snapshot <- function(fitted, frame) {
  is_lme <- inherits(fitted, "lme")
  coefficients <- fixed_effects(fitted)
  terms <- complete_frame(stats::formula(fitted), frame)
  X <- stats::model.matrix(attr(terms, "terms"), terms)
  n <- fitted$dims$N
  p <- length(coefficients)
  covariance <- unname(stats::vcov(fitted))
  # as summary(): under ML a mixed model's variances get n - p for n
  inflation <- if (is_lme && fitted$method == "ML") n / (n - p) else 1
  c(
    list(
      y = as.numeric(terms[[1L]]), X = unname(X[, names(coefficients), drop = FALSE]),
      coef_names = names(coefficients), beta = unname(coefficients),
      std_error = sqrt(inflation * diag(covariance)),
      df = as.numeric(if (is_lme) fitted$fixDF$X else rep(n - p, p)),
      vcov = covariance, sigma = fitted$sigma,
      fixed_sigma = isTRUE(attr(fitted$modelStruct, "fixedSigma")),
      log_lik = as.numeric(stats::logLik(fitted)),
      fitted = unname(as.matrix(fitted$fitted)),
      cor = describe_cor(fitted$modelStruct$corStruct, frame),
      var = describe_var(fitted$modelStruct$varStruct),
      apvar = describe_apvar(fitted$apVar),
      terms = describe_terms(terms, X, names(coefficients), frame)
    ),
    if (is_lme) list(levels = describe_levels(fitted, frame))
  )
}

describe_apvar <- function(apvar) {
  if (is.null(apvar)) return(list(reason = "there is no free structure parameter"))
  if (is.character(apvar)) return(list(reason = apvar))
  list(
    names = as.character(colnames(apvar)), pars = unname(attr(apvar, "Pars")),
    cov = matrix(as.numeric(apvar), nrow(apvar)), natural = isTRUE(attr(apvar, "natural"))
  )
}

# Levels outermost first; reStruct itself goes from the innermost out.
describe_levels <- function(fitted, frame) {
  structures <- fitted$modelStruct$reStruct
  lapply(rev(seq_along(structures)), function(i) {
    group <- names(fitted$groups)[length(structures) + 1L - i]
    label <- as.character(fitted$groups[[group]])
    b <- fitted$coefficients$random[[length(structures) + 1L - i]]
    # where one factor serves twice, nlme names the rows by the factor and not by its second self
    named <- names(fitted$coefficients$random)[length(structures) + 1L - i]
    row <- as.character(fitted$groups[[named]])[!duplicated(label)]
    labels <- unique(label)
    list(
      group = group, names = nlme::Names(structures[[i]]),
      blocks = describe_blocks(structures[[i]]),
      Z = random_design(structures[[i]], design_matrix, frame),
      codes = match(label, labels) - 1L, labels = labels,
      D = unname(fitted$sigma^2 * as.matrix(structures[[i]])),
      b = unname(b[row, , drop = FALSE])
    )
  })
}

describe_blocks <- function(structure) {
  blocks <- if (inherits(structure, "pdBlocked")) unclass_list(structure) else list(structure)
  lapply(blocks, function(b) list(
    pd_class = class(b)[1L], names = nlme::Names(b),
    formula = label_of(stats::formula(b)[[2L]])
  ))
}

unclass_list <- function(x) lapply(seq_along(x), function(i) x[[i]])

describe_cor <- function(cs, frame) {
  if (is.null(cs)) return(NULL)
  values <- stats::coef(cs, unconstrained = FALSE)
  groups <- attr(cs, "groups")
  group <- if (is.null(groups)) rep("", nrow(frame)) else as.character(groups)
  covariate <- cor_covariate(cs, group, frame)
  order <- attr(cs, "p")
  list(
    cor_class = class(cs)[1L], names = cor_names(values), values = as.numeric(values),
    fixed = isTRUE(attr(cs, "fixed")), codes = match(group, unique(group)) - 1L,
    covariate = covariate, p = as.integer(c(order, 0L)[1L]),
    q = as.integer(c(attr(cs, "q"), 0L)[1L]),
    size = if (inherits(cs, c("corSymm", "corNatural"))) max(covariate) + 1 else max(table(group)),
    lower = as.numeric(c(attr(cs, "inf"), 0)[1L]),
    min_distance = as.numeric(c(attr(cs, "minD"), 0)[1L]),
    nugget = isTRUE(attr(cs, "nugget")),
    metric = c(attr(cs, "metric"), "euclidean")[1L]
  )
}

# nlme leaves the correlations of a corSymm without names; they go row by row.
cor_names <- function(values) {
  if (!is.null(names(values))) return(names(values))
  size <- (1 + sqrt(1 + 8 * length(values))) / 2
  pairs <- utils::combn(size, 2L)
  paste0("cor(", pairs[1L, ], ",", pairs[2L, ], ")")
}

# One row of coordinates per row of data.
cor_covariate <- function(cs, group, frame) {
  if (inherits(cs, "corSpatial")) {
    formula <- nlme::getCovariateFormula(stats::formula(cs))
    if (length(all.vars(formula))) {
      coordinates <- lapply(stats::model.frame(formula, frame), as.numeric)
      return(unname(do.call(cbind, coordinates)))
    }
    return(matrix(stats::ave(seq_along(group), group, FUN = seq_along)))
  }
  position <- nlme::getCovariate(cs)
  if (is.list(position)) position <- unsplit(position[unique(group)], factor(group, unique(group)))
  if (is.null(position)) position <- stats::ave(seq_along(group), group, FUN = seq_along)
  if (inherits(cs, c("corSymm", "corNatural"))) position <- match(position, sort(unique(position))) - 1
  matrix(as.numeric(position))
}

describe_var <- function(vf) {
  if (is.null(vf)) return(list())
  if (inherits(vf, "varComb")) {
    parts <- unclass_list(vf)
    return(Map(describe_varfunc, parts, names(vf)))
  }
  list(describe_varfunc(vf, ""))
}

describe_varfunc <- function(vf, tag) {
  values <- stats::coef(vf, unconstrained = FALSE, allCoef = TRUE)
  if (is.matrix(values)) {  # const and power (prop) by stratum: every const first
    names <- paste(rep(rownames(values), each = ncol(values)), colnames(values), sep = ".")
    values <- stats::setNames(as.numeric(t(values)), names)
  }
  strata <- attr(vf, "groupNames")
  covariate <- if (!inherits(vf, "varIdent")) nlme::getCovariate(vf)
  list(
    var_class = class(vf)[1L], tag = tag,
    names = as.character(names(values)), values = as.numeric(values),
    free = names(values) %in% names(stats::coef(vf, unconstrained = FALSE)),
    covariate = if (!is.null(covariate)) as.numeric(covariate),
    codes = if (!is.null(strata)) match(as.character(attr(vf, "groups")), strata) - 1L,
    strata = as.character(strata)
  )
}
