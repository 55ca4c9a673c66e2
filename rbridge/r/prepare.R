# A model made ready as lme and gls make it, and not fitted: what the maximiser of core/fitting needs.

prepare <- function(model) {
  frame <- set_contrasts(build_frame(model$data), model$contrasts)
  check_finite(model$formulas, frame)
  check_fixed(model$fixed, frame)
  terms <- complete_frame(build_formula(model$fixed), frame)
  X <- stats::model.matrix(attr(terms, "terms"), terms)
  groups <- vapply(model$random, `[[`, "", "group")
  p <- ncol(X)
  sigma <- model$control$sigma
  list(
    y = as.numeric(terms[[1L]]), X = X, coef_names = colnames(X),
    beta = numeric(p), std_error = numeric(p), df = numeric(p), vcov = diag(p),
    sigma = if (is.null(sigma)) 1 else sigma, fixed_sigma = !is.null(sigma), log_lik = NaN,
    levels = prepare_levels(model$random, frame),
    cor = describe_cor(prepare_cor(model$correlation, groups, frame), frame),
    var = describe_var(prepare_var(model$weights, frame)),
    apvar = list(reason = "the model has not been fitted by nlme"),
    terms = describe_terms(terms, X, colnames(X), frame)
  )
}

# Rows in which a formula makes a value that is not finite.
unusable <- function(model) {
  frame <- build_frame(model$data)
  Reduce(`|`, lapply(computed_of(model$formulas), not_finite, frame), logical(nrow(frame)))
}

# Designs of the random effects, outermost level first; Python knows the groups.
prepare_levels <- function(random, frame) {
  lapply(random, function(level) {
    structure <- build_structure(level$structure)
    blocks <- if (inherits(structure, "pdBlocked")) unclass_list(structure) else list(structure)
    designs <- lapply(blocks, function(b) design_matrix(stats::formula(b), frame))
    list(
      names = unlist(lapply(designs, colnames)),
      blocks = Map(function(b, Z) list(
        pd_class = class(b)[1L], names = colnames(Z), formula = label_of(stats::formula(b)[[2L]])
      ), blocks, designs),
      Z = if (length(designs) == 1L) designs[[1L]] else do.call(cbind, designs)
    )
  })
}

# An lme's correlation is within its innermost groups, or within groups inside those.
prepare_cor <- function(structure, groups, frame) {
  if (is.null(structure)) return(NULL)
  cs <- build_structure(structure)
  own <- vapply(nlme::getGroupsFormula(cs, asList = TRUE), function(f) deparse(f[[2L]]), "")
  shared <- seq_len(min(length(own), length(groups)))
  if (any(own[shared] != groups[shared])) {
    refuse("incompatible formulas for groups in 'random' and 'correlation'")
  }
  if (length(own) <= length(groups) && length(groups)) {
    joint <- Reduce(function(a, b) call("/", a, b), lapply(groups, as.name))
    covariate <- nlme::getCovariateFormula(cs)[[2L]]
    attr(cs, "formula") <- stats::as.formula(call("~", call("|", covariate, joint)), words)
  }
  nlme::Initialize(cs, data = frame)
}

prepare_var <- function(structure, frame) {
  if (is.null(structure)) return(NULL)
  nlme::Initialize(nlme::varFunc(build_structure(structure)), data = frame)
}
