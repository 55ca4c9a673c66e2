# Data frames and R's language from the plain lists of payload.py.

build_frame <- function(columns) {
  frame <- lapply(columns, build_column)
  n <- if (length(frame)) length(frame[[1L]]) else 0L
  structure(frame, names = names(columns), row.names = .set_row_names(n), class = "data.frame")
}

build_column <- function(column) {
  x <- column$values
  switch(column$kind,
    double = x, integer = x, logical = as.logical(x),
    factor = structure(x + 1L, levels = column$levels,
                       class = c(if (column$ordered) "ordered", "factor")),
    date = structure(x, class = "Date"),
    datetime = structure(x, class = c("POSIXct", "POSIXt"),
                         tzone = if (nzchar(column$zone)) column$zone else "UTC"),
    difftime = structure(x, class = "difftime", units = "secs")
  )
}

build_node <- function(node) {
  if (!is.null(node$name)) return(as.name(node$name))
  if (is.null(node$call)) return(node$value)
  args <- lapply(node$args, build_node)
  if (node$call == "+" && length(args) > 2L) return(Reduce(function(a, b) call("+", a, b), args))
  if (any(nzchar(node$keys))) names(args) <- node$keys
  as.call(c(list(as.name(node$call)), args))
}

build_formula <- function(formula) {
  right <- build_node(formula$rhs)
  if (length(formula$groups)) {
    joint <- if (formula$crossed) "*" else "/"
    groups <- Reduce(function(a, b) call(joint, a, b), lapply(formula$groups, as.name))
    right <- call("|", right, groups)
  }
  both <- if (is.null(formula$lhs)) call("~", right) else call("~", build_node(formula$lhs), right)
  stats::as.formula(both, words)
}

# pdIdent and pdCompSymm do not see a starting value without the names of the effects, which the
# frame gives.
build_structure <- function(s, frame = NULL) {
  constructor <- getExportedValue("nlme", s$class)
  if (s$class == "pdBlocked") return(constructor(lapply(s$blocks, build_structure, frame)))
  if (s$class == "varComb") {
    parts <- lapply(s$parts, build_structure)
    return(do.call(constructor, stats::setNames(parts, if (length(s$names)) s$names)))
  }
  args <- lapply(s$args, function(a) if (is.list(a) && is.null(a$rhs)) unlist(a) else a)
  args$form <- build_formula(s$args$form)
  if (s$class == "varFixed") names(args) <- "value"
  if (startsWith(s$class, "pd") && length(args$value) && !is.null(frame)) {
    args$nam <- colnames(stats::model.matrix(args$form, frame))
  }
  if (s$class %in% c("varConstPower", "varConstProp") && !is.null(s$args$fixed)) {
    args$fixed <- lapply(s$args$fixed, unlist)
  }
  do.call(constructor, args)
}

set_contrasts <- function(frame, contrasts) {
  for (name in names(contrasts)) {
    chosen <- contrasts[[name]]
    if (is.list(chosen)) {
      chosen <- structure(chosen$matrix, dimnames = list(
        levels(frame[[name]]), if (length(chosen$labels)) chosen$labels
      ))
    }
    stats::contrasts(frame[[name]], if (is.matrix(chosen)) ncol(chosen)) <- chosen
  }
  frame
}
