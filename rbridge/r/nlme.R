# A model is fitted, asked what was wrong with it, and asked for the design of new data.

fit <- function(model) {
  counter <<- counter + 1L
  key <- as.character(counter)
  name <- paste0(".rb_", counter)
  kept <- FALSE
  on.exit(if (!kept) release(key))
  frame <- set_contrasts(build_frame(model$data), model$contrasts)
  check_finite(model$formulas, frame)
  check_fixed(model$fixed, frame)
  assign(name, frame, envir = shelf)
  fitted <- eval(build_call(model, as.name(name), frame), globalenv())
  if (model$kind == "gls") fitted$data <- frame  # gls keeps no data; lmeInfo would look elsewhere
  assign(key, list(fit = fitted, frame = frame), envir = models)
  answer <- list(id = counter, snapshot = snapshot(fitted, frame))
  kept <- TRUE
  answer
}

build_call <- function(model, data, frame) {
  args <- list(build_formula(model$fixed), data = data)
  names(args)[1L] <- if (model$kind == "lme") "fixed" else "model"
  if (model$kind == "lme") {
    args$random <- lapply(model$random, function(level) build_structure(level$structure, frame))
    names(args$random) <- vapply(model$random, `[[`, "", "group")
  }
  if (!is.null(model$correlation)) args$correlation <- build_structure(model$correlation)
  if (!is.null(model$weights)) args$weights <- build_structure(model$weights)
  args$method <- model$method
  args$na.action <- quote(stats::na.fail)
  if (length(model$control)) args$control <- model$control
  fitter <- if (model$kind == "lme") quote(nlme::lme) else quote(nlme::gls)
  as.call(c(list(fitter), args))
}

# nlme drops rows in silence, or searches without end, where a formula makes values that are not
# finite.
check_finite <- function(formulas, frame) {
  for (variable in computed_of(formulas)) {
    bad <- sum(not_finite(variable, frame))
    if (bad) {
      refuse(label_of(variable), " is not finite in ", bad, " row(s) of the data: ",
             "recode them, or leave them out")
    }
  }
}

computed_of <- function(formulas) unique(unlist(lapply(formulas, variables_of)))

# By row: whether `variable` has no value there that is finite.
not_finite <- function(variable, frame) {
  values <- tryCatch(
    withCallingHandlers(eval(variable, frame, words), warning = ignore),
    error = function(e) numeric(nrow(frame))
  )
  bad <- if (is.numeric(values)) !is.finite(values) else is.na(values)
  if (is.matrix(bad)) rowSums(bad) > 0 else bad
}

# nlme fits a response that is TRUE and FALSE as 1 and 0.
check_fixed <- function(formula, frame) {
  terms <- stats::terms(build_formula(formula))
  if (!length(attr(terms, "term.labels")) && !attr(terms, "intercept")) {
    refuse("the fixed effects are empty: leave the intercept in, or name a covariate")
  }
  lhs <- build_node(formula$lhs)
  y <- eval(lhs, frame, words)
  if (!is.numeric(y) || is.matrix(y)) {
    refuse("the response ", label_of(lhs), " must be a numeric vector, not ", class(y)[1L])
  }
  if (length(y) != nrow(frame)) {
    refuse("the response ", label_of(lhs), " has ", length(y), " values for ", nrow(frame), " rows")
  }
}

ignore <- function(w) invokeRestart("muffleWarning")

# The variables that model.frame would make: `log(x)` of `log(x) * group`.
variables_of <- function(formula) {
  terms <- tryCatch(stats::terms(build_formula(formula)), error = function(e) NULL)
  Filter(is.call, as.list(attr(terms, "variables"))[-1L])
}

label_of <- function(expression) paste(deparse(expression, width.cutoff = 500L), collapse = "")

refuse <- function(...) {
  stop(errorCondition(paste0(...), class = "rbridge_data", call = NULL))
}

# A design that nlme would call singular: the columns that the others determine.
aliased <- function(model) {
  frame <- set_contrasts(build_frame(model$data), model$contrasts)
  X <- stats::model.matrix(build_formula(model$fixed), frame)
  decomposed <- qr(X)
  colnames(X)[decomposed$pivot[seq_len(ncol(X)) > decomposed$rank]]
}

fixed_effects <- function(fitted) {
  if (inherits(fitted, "lme")) nlme::fixef(fitted) else stats::coef(fitted)
}

# As model.frame, which would look for missing values in vain: Python and check_finite have.
complete_frame <- function(formula, frame) {
  stats::model.frame(formula, frame, na.action = stats::na.pass)
}

design_matrix <- function(formula, frame) {
  complete <- complete_frame(formula, frame)
  stats::model.matrix(attr(complete, "terms"), complete)
}

# ---- the design of new data -----------------------------------------------------------------

# nlme evaluates the bases of random effects (poly, ns, scale …) afresh on new data, which moves
# them; here every term keeps the basis, the levels and the contrasts of the fit.
new_design <- function(id, columns, random) {
  model <- models[[as.character(id)]]
  new <- build_frame(columns)
  rows <- seq_len(nrow(new))
  if (length(rows) == 1L) new <- new[c(1L, 1L), , drop = FALSE]  # poly of two fails for one row
  structures <- if (random) model$fit$modelStruct$reStruct
  X <- design_like(stats::formula(model$fit), model$frame, new)
  list(
    X = unname(X[rows, names(fixed_effects(model$fit)), drop = FALSE]),
    Z = lapply(rev(seq_along(structures)), function(i) {
      random_design(structures[[i]], design_like, model$frame, new)[rows, , drop = FALSE]
    })
  )
}

# Columns of one level's random effects in nlme's order, each block's by `design(formula, ...)`:
# nlme's own model.matrix for a reStruct takes twenty times as long.
random_design <- function(structure, design, ...) {
  formulas <- stats::formula(structure)
  if (!is.list(formulas)) formulas <- list(formulas)
  parts <- lapply(formulas, design, ...)
  unname(do.call(cbind, parts)[, nlme::Names(structure), drop = FALSE])
}

design_like <- function(formula, frame, new) {
  terms <- stats::delete.response(stats::terms(formula))
  fitted <- stats::model.matrix(terms, frame)
  levels <- stats::.getXlevels(terms, stats::model.frame(terms, frame))
  variables <- as.list(attr(terms, "variables"))[-1L]
  attr(terms, "predvars") <- as.call(c(quote(list), lapply(variables, held_variable, frame)))
  # A basis outside its knots warns; the caller sees that.
  new_frame <- stats::model.frame(terms, new, xlev = levels, na.action = stats::na.pass)
  for (i in seq_along(variables)) check_new(variables[[i]], new_frame[[i]])
  stats::model.matrix(terms, new_frame, contrasts.arg = attr(fitted, "contrasts"))
}

check_new <- function(variable, values) {
  bad <- if (is.numeric(values)) !is.finite(values) else is.na(values)
  if (!any(bad)) return(invisible())
  rows <- if (is.matrix(bad)) sum(rowSums(bad) > 0) else sum(bad)
  what <- if (is.numeric(values)) " is not finite in " else " is at no level of the fit in "
  refuse(label_of(variable), what, rows, " row(s) of the new data")
}
