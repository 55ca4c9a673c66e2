# The terms of the fixed effects: what tests of terms and marginal means need of the design.

describe_terms <- function(model_frame, X, coefficients, frame) {
  terms <- stats::delete.response(attr(model_frame, "terms"))
  labels <- attr(terms, "term.labels")
  calls <- as.list(attr(terms, "variables"))[-1L]
  names(calls) <- vapply(calls, label_of, "")
  values <- lapply(names(calls), function(name) model_frame[[name]])
  variables <- Map(describe_variable, names(calls), calls, values,
                   MoreArgs = list(contrasts = attr(X, "contrasts")))
  factors <- attr(terms, "factors")
  if (!length(labels)) factors <- matrix(0L, length(calls), 0L)
  # without an intercept model.matrix gives the first factor of all a column for each level
  first <- which(vapply(values, is_factor, NA) & factors > 0L)
  if (!attr(terms, "intercept") && length(first)) factors[first[1L]] <- 2L
  used <- unique(unlist(lapply(calls, all.vars)))
  numeric <- Filter(function(name) is.numeric(frame[[name]]), intersect(used, names(frame)))
  c(
    list(
      labels = labels, assign = attr(X, "assign")[match(coefficients, colnames(X))],
      variables = unname(variables), factors = unname(factors),
      mean_names = numeric, means = vapply(frame[numeric], mean, 0, USE.NAMES = FALSE)
    ),
    describe_cells(Filter(is_factor, values))
  )
}

is_factor <- function(x) is.factor(x) || is.character(x) || is.logical(x)

# model.matrix makes factors of texts and of TRUE and FALSE.
as_its_factor <- function(x) {
  if (is.factor(x)) x else if (is.logical(x)) factor(x, c(FALSE, TRUE)) else factor(x)
}

describe_variable <- function(name, call, value, contrasts) {
  matrix <- matrix(0, 0L, 0L)
  levels <- character()
  if (is_factor(value)) {
    levels <- levels(as_its_factor(value))
    chosen <- contrasts[[name]]
    if (is.null(chosen)) chosen <- matrix(0, length(levels), 0L)  # stands for all levels everywhere
    matrix <- if (is.matrix(chosen)) chosen else get(chosen, envir = asNamespace("stats"))(levels)
  }
  width <- if (length(levels)) ncol(matrix) else NCOL(value)
  list(name = name, levels = levels, contrasts = unname(matrix), columns = all.vars(call),
       width = width)
}

# The combinations of levels that occur, and their rows.
describe_cells <- function(factors) {
  codes <- lapply(factors, function(x) as.integer(as_its_factor(x)) - 1L)
  n <- if (length(codes)) length(codes[[1L]]) else 0L
  cell <- rep(1, n)
  for (code in codes) {
    joint <- cell * (max(code) + 1) + code
    cell <- match(joint, unique(joint))
  }
  first <- which(!duplicated(cell))
  cells <- vapply(codes, `[`, integer(length(first)), first)
  list(cells = matrix(cells, length(first), length(codes)), counts = tabulate(cell, length(first)))
}
