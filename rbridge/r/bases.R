# Predictions for new rows: what a formula took from all rows of the fit together (means, knots,
# breaks, levels) is written into the formula's calls, however deep they stand.

# `variable`, a call of the formula, as it is to be evaluated on new rows.
held_variable <- function(variable, frame) {
  call <- held(variable, frame)
  if (!is.call(call)) return(call)
  n <- nrow(frame)
  all <- eval(variable, frame, words)
  for (rows in list(seq_len(n), seq(n, 1L, by = -2L), unique(c(ceiling(n / 2), 1L)))) {
    part <- tryCatch(eval(call, frame[rows, , drop = FALSE], words), error = function(e) NULL)
    if (!same_values(part, rows_of(all, rows))) refuse_prediction(variable)
  }
  call
}

refuse_prediction <- function(call) {
  refuse(label_of(call), " cannot be predicted: its value in a row depends on the other rows of ",
         "the data. Compute it as a column before the fit, for the new data too")
}

rows_of <- function(x, rows) if (is.matrix(x)) x[rows, , drop = FALSE] else x[rows]

same_values <- function(x, y) {
  if (is_factor(x)) return(identical(as.character(x), as.character(y)))
  x <- as.numeric(x)
  y <- as.numeric(y)
  length(x) == length(y) && identical(is.na(x), is.na(y)) &&
    all(abs(x - y) <= 1e-9 * max(abs(y), 0, na.rm = TRUE), na.rm = TRUE)
}

held <- function(e, frame) {
  if (!of_columns(e, frame)) return(e)
  hold <- if (is.call(e)) holders[[as.character(e[[1L]])]]
  if (!is.null(hold)) return(hold(e, frame))
  if (is.call(e)) as.call(c(e[[1L]], lapply(as.list(e)[-1L], held, frame))) else e
}

of_columns <- function(e, frame) length(intersect(all.vars(e), names(frame))) > 0L

# The arguments beside the data: their values, where columns stand in them.
hold_others <- function(e, frame, data = "x") {
  for (i in setdiff(which(names(e) != ""), match(data, names(e)))) {
    if (of_columns(e[[i]], frame)) e[[i]] <- eval(e[[i]], frame, words)
  }
  e
}

hold_basis <- function(e, frame) {
  value <- eval(e, frame, words)
  call <- match.call(get(as.character(e[[1L]]), envir = words), e)  # the data first
  call$x <- held(call$x, frame)
  stats::makepredictcall(value, hold_others(call, frame))
}

hold_scale <- function(e, frame) {
  value <- eval(e, frame, words)
  call <- match.call(scale, e)
  call$x <- held(call$x, frame)
  for (part in c("center", "scale")) {
    used <- attr(value, paste0("scaled:", part))
    call[[part]] <- if (is.null(used)) FALSE else used
  }
  call
}

hold_poly <- function(e, frame) {
  value <- eval(e, frame, words)
  call <- as.call(c(e[[1L]], lapply(as.list(e)[-1L], held, frame)))
  raw <- !is.null(e$raw) && isTRUE(as.logical(eval(e$raw, frame, words)))
  if (!raw && is.null(attr(value, "coefs"))) refuse_prediction(e)  # simple = TRUE
  if (raw) call else stats::makepredictcall(value, call)
}

hold_cut <- function(e, frame) {
  call <- hold_others(match.call(cut.default, e), frame)
  x <- eval(call$x, frame, words)
  if (!is.numeric(x)) refuse_prediction(e)
  if (is.null(call$labels)) call$labels <- levels(eval(e, frame, words))
  breaks <- eval(call$breaks, frame, words)
  call$breaks <- if (length(breaks) == 1L) equal_breaks(x, breaks) else breaks
  call$x <- held(call$x, frame)
  call
}

# As ?cut says: pieces of equal length, the outer limits moved away by 0.1 % of the range.
equal_breaks <- function(x, pieces) {
  ends <- range(x)
  width <- ends[2L] - ends[1L]
  if (width == 0) {
    width <- if (ends[1L] == 0) 1 else abs(ends[1L])
    return(seq(ends[1L] - width / 1000, ends[2L] + width / 1000, length.out = pieces + 1))
  }
  breaks <- seq(ends[1L], ends[2L], length.out = pieces + 1)
  replace(breaks, c(1L, length(breaks)), ends + c(-1, 1) * width / 1000)
}

hold_factor <- function(e, frame) {
  made <- as.character(e[[1L]])
  call <- hold_others(match.call(factor, e), frame)
  if (made == "as.factor" && is.factor(eval(call$x, frame, words))) return(held(call$x, frame))
  if (is.null(call$levels)) {
    unlabelled <- call
    unlabelled$labels <- NULL
    call$levels <- levels(eval(unlabelled, frame, words))
  }
  call$x <- held(call$x, frame)
  call[[1L]] <- quote(factor)
  if (made == "ordered") call$ordered <- TRUE
  call
}

# A factor of factors, whose levels are the combinations: each holds its own, and so does the whole.
hold_crossed <- function(e, frame) {
  value <- eval(e, frame, words)
  if (!is.factor(value)) refuse_prediction(e)  # `:` of numbers is a sequence
  parts <- lapply(as.list(e)[-1L], function(part) {
    if (of_columns(part, frame)) held(call("as.factor", part), frame) else part
  })
  call("factor", as.call(c(e[[1L]], parts)), levels = levels(value))
}

hold_among <- function(e, frame) {
  if (of_columns(e[[3L]], frame)) e[[3L]] <- unique(eval(e[[3L]], frame, words))
  e[[2L]] <- held(e[[2L]], frame)
  e
}

holders <- list(
  scale = hold_scale, ns = hold_basis, bs = hold_basis, poly = hold_poly, cut = hold_cut,
  factor = hold_factor, ordered = hold_factor, as.factor = hold_factor,
  interaction = hold_crossed, `:` = hold_crossed, `%in%` = hold_among
)
