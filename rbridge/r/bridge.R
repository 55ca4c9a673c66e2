# The R side of rbridge. Python calls these functions by name through `call_safely`; arguments and
# answers are plain vectors and named lists. Fitted models stay here, under a number.

models <- new.env(parent = emptyenv())
counter <- 0L

# One place on the search path for the data of every fit, so that nlme's methods find them again.
shelf <- attach(NULL, name = "rbridge")
assign("ns", splines::ns, envir = shelf)
assign("bs", splines::bs, envir = shelf)

# Where formulas are evaluated: R's own functions come first, whatever the global environment holds.
words <- new.env(parent = .BaseNamespaceEnv)
for (name in c("poly", "relevel", "contr.treatment")) {
  assign(name, getExportedValue("stats", name), envir = words)
}
for (name in c("ns", "bs")) assign(name, getExportedValue("splines", name), envir = words)

# Names must survive the way through R whatever the machine's locale is.
for (try_locale in c("C.UTF-8", "C.utf8", "en_US.UTF-8", "UTF-8")) {
  if (isTRUE(l10n_info()[["UTF-8"]])) break
  suppressWarnings(Sys.setlocale("LC_CTYPE", try_locale))
}

# q() would end Python too, with exit status 0.
for (name in c("q", "quit")) {
  unlockBinding(name, baseenv())
  assign(name, function(...) stop("q() would end Python: R ends when Python does", call. = FALSE),
         envir = baseenv())
  lockBinding(name, baseenv())
}

# What a user's session may have changed and a fit depends on.
settings <- list(
  contrasts = c(unordered = "contr.treatment", ordered = "contr.poly"),
  na.action = "na.omit", OutDec = ".", warn = 0L, scipen = 0L, digits = 7L,
  expressions = 5000L, device = function(...) grDevices::pdf(NULL)
)

# ---- the wrapper round every call ----------------------------------------------------------

call_safely <- function(name, args) {
  warned <- said <- output <- character()
  failure <- NULL
  restore <- keep_state()
  sink_to <- textConnection("output", "w", local = TRUE)
  sink(sink_to)
  depth <- sink.number()
  on.exit({
    while (sink.number() >= depth) sink()
    close(sink_to)
    restore()
  })
  fail <- function(e) if (is.null(failure)) failure <<- describe(e, sys.calls())
  value <- withRestarts(
    tryCatch(
      withCallingHandlers(
        do.call(get(name, mode = "function"), args, quote = TRUE),
        warning = function(w) {
          warned <<- c(warned, clean(conditionMessage(w)))
          invokeRestart("muffleWarning")
        },
        message = function(m) {
          said <<- c(said, clean(conditionMessage(m)))
          invokeRestart("muffleMessage")
        },
        error = fail
      ),
      error = function(e) { fail(e); NULL },  # a full stack skips the handler that sees the calls
      interrupt = function(i) { failure <<- list(message = "interrupted", interrupted = TRUE); NULL }
    ),
    abort = function() {
      if (is.null(failure)) failure <<- describe(simpleError("the call was aborted"), list())
      NULL
    }
  )
  list(value = value, error = failure, warnings = warned, messages = said)
}

# What a call may change and other users of this R or of this process would notice.
keep_state <- function() {
  directory <- getwd()
  seed <- get0(".Random.seed", globalenv(), inherits = FALSE)
  devices <- grDevices::dev.list()
  old <- options(settings)
  locales <- vapply(c("LC_NUMERIC", "LC_MESSAGES"), Sys.getlocale, "")
  changed <- locales[locales != "C"]  # decimal commas; messages that convergence is read from
  for (category in names(changed)) suppressWarnings(Sys.setlocale(category, "C"))
  function() {
    options(old)
    for (category in names(changed)) suppressWarnings(Sys.setlocale(category, changed[[category]]))
    for (device in setdiff(grDevices::dev.list(), devices)) grDevices::dev.off(device)
    if (!is.null(directory)) setwd(directory)
    if (!is.null(seed)) assign(".Random.seed", seed, envir = globalenv())
    else if (exists(".Random.seed", globalenv(), inherits = FALSE)) {
      rm(".Random.seed", envir = globalenv())
    }
  }
}

# Names only, never arguments: a call can hold the user's data.
describe <- function(e, calls) {
  heads <- vapply(utils::tail(calls, 100L), head_of, "")  # a runaway recursion has thousands
  ours <- match("do.call", heads, 0L)
  heads <- heads[seq_along(heads) > ours & !heads %in% c("", ".handleSimpleError", "h", "fail")]
  list(
    message = clean(conditionMessage(e)), call = head_of(conditionCall(e)),
    class = class(e), traceback = heads, interrupted = FALSE
  )
}

head_of <- function(call) {
  head <- if (is.call(call)) call[[1L]] else call
  if (is.symbol(head) || is.call(head) && identical(head[[1L]], quote(`::`))) {
    paste(deparse(head), collapse = "")
  } else ""
}

# Bytes that are no text in the encoding they claim come as <ff>.
clean <- function(text) {
  text <- enc2utf8(paste(text, collapse = "\n"))
  if (validUTF8(text)) text else iconv(text, "UTF-8", "UTF-8", sub = "byte")
}

# ---- data and language from plain lists ----------------------------------------------------

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

build_structure <- function(s) {
  constructor <- getExportedValue("nlme", s$class)
  if (s$class == "pdBlocked") return(constructor(lapply(s$blocks, build_structure)))
  if (s$class == "varComb") {
    parts <- lapply(s$parts, build_structure)
    return(do.call(constructor, stats::setNames(parts, if (length(s$names)) s$names)))
  }
  args <- lapply(s$args, function(a) if (is.list(a) && is.null(a$rhs)) unlist(a) else a)
  args$form <- build_formula(s$args$form)
  if (s$class == "varFixed") names(args) <- "value"
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

# ---- fitting -------------------------------------------------------------------------------

fit <- function(model) {
  counter <<- counter + 1L
  key <- as.character(counter)
  name <- paste0(".rb_", counter)
  kept <- FALSE
  on.exit(if (!kept) release(key))
  frame <- set_contrasts(build_frame(model$data), model$contrasts)
  check_values(model, frame)
  assign(name, frame, envir = shelf)
  fitted <- eval(build_call(model, as.name(name)), globalenv())
  if (model$kind == "gls") fitted$data <- frame  # gls keeps no data; lmeInfo would look elsewhere
  assign(key, list(fit = fitted, frame = frame), envir = models)
  answer <- list(id = counter, snapshot = snapshot(fitted, frame))
  kept <- TRUE
  answer
}

build_call <- function(model, data) {
  args <- list(build_formula(model$fixed), data = data)
  names(args)[1L] <- if (model$kind == "lme") "fixed" else "model"
  if (model$kind == "lme") {
    args$random <- lapply(model$random, function(level) build_structure(level$structure))
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
# finite; and it fits a response that is TRUE and FALSE as 1 and 0.
check_values <- function(model, frame) {
  for (variable in unique(unlist(lapply(model$formulas, variables_of)))) {
    values <- tryCatch(
      withCallingHandlers(eval(variable, frame, words), warning = ignore), error = function(e) 0
    )
    bad <- if (is.numeric(values)) !is.finite(values) else is.na(values)
    if (any(bad)) {
      rows <- if (is.matrix(bad)) sum(rowSums(bad) > 0) else sum(bad)
      refuse(label_of(variable), " is not finite in ", rows, " row(s) of the data: ",
             "recode them, or leave them out")
    }
  }
  terms <- stats::terms(build_formula(model$fixed))
  if (!length(attr(terms, "term.labels")) && !attr(terms, "intercept")) {
    refuse("the fixed effects are empty: leave the intercept in, or name a covariate")
  }
  lhs <- build_node(model$fixed$lhs)
  y <- eval(lhs, frame, words)
  if (!is.numeric(y) || is.factor(y) || is.matrix(y)) {
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

release <- function(id) {
  suppressWarnings(rm(list = as.character(id), envir = models))
  suppressWarnings(rm(list = paste0(".rb_", id), envir = shelf))
}

# ---- everything that Python will need to know of a fit, in one answer -------------------------

snapshot <- function(fitted, frame) {
  is_lme <- inherits(fitted, "lme")
  coefficients <- if (is_lme) nlme::fixef(fitted) else stats::coef(fitted)
  terms <- stats::model.frame(stats::formula(fitted), frame)
  X <- stats::model.matrix(attr(terms, "terms"), terms)
  n <- fitted$dims$N
  p <- length(coefficients)
  covariance <- unname(stats::vcov(fitted))
  # as summary(): under ML a mixed model's variances get n - p for n
  inflation <- if (is_lme && fitted$method == "ML") n / (n - p) else 1
  c(
    list(
      y = as.numeric(terms[[1L]]), X = unname(X)[, match(names(coefficients), colnames(X)), drop = FALSE],
      coef_names = names(coefficients), beta = unname(coefficients),
      std_error = sqrt(inflation * diag(covariance)),
      df = as.numeric(if (is_lme) fitted$fixDF$X else rep(n - p, p)),
      vcov = covariance, sigma = fitted$sigma,
      fixed_sigma = isTRUE(attr(fitted$modelStruct, "fixedSigma")),
      log_lik = as.numeric(stats::logLik(fitted)),
      fitted = unname(as.matrix(fitted$fitted)),
      cor = describe_cor(fitted$modelStruct$corStruct, frame),
      var = describe_var(fitted$modelStruct$varStruct),
      apvar = describe_apvar(fitted$apVar)
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
      Z = random_design(structures[[i]], stats::model.matrix, frame),
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
    formula = paste(deparse(stats::formula(b)[[2L]], width.cutoff = 500L), collapse = "")
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
    strata = as.character(strata), weights = as.numeric(nlme::varWeights(vf))
  )
}

versions <- function(load = FALSE) {
  c(
    list(R = paste(R.version$major, R.version$minor, sep = ".")),
    installed("nlme", load), installed("lmeInfo", load),
    list(
      platform = R.version$platform, BLAS = c(utils::sessionInfo()$BLAS, "")[1L],
      libraries = .libPaths(), home = R.home(), tempdir = tempdir(),
      locale = Sys.getlocale("LC_CTYPE")
    )
  )
}

# Version and error; `load` finds out whether the package is more than a folder.
installed <- function(package, load) {
  version <- error <- ""
  tryCatch({
    version <- as.character(utils::packageVersion(package))
    if (load) loadNamespace(package)
  }, error = function(e) {
    version <<- ""
    error <<- clean(conditionMessage(e))
  })
  stats::setNames(list(version, error), paste0(package, c("", " error")))
}

# ---- the design of new data -----------------------------------------------------------------

# nlme evaluates the bases of random effects (poly, ns, scale …) afresh on new data, which moves
# them; here every term keeps the basis, the levels and the contrasts of the fit.
new_design <- function(id, columns) {
  model <- models[[as.character(id)]]
  new <- build_frame(columns)
  structures <- model$fit$modelStruct$reStruct
  list(
    X = unname(design_like(stats::formula(model$fit), model$frame, new, names_of_fixed(model$fit))),
    Z = lapply(rev(seq_along(structures)), function(i) {
      random_design(structures[[i]], design_like, model$frame, new)
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

names_of_fixed <- function(fitted) {
  names(if (inherits(fitted, "lme")) nlme::fixef(fitted) else stats::coef(fitted))
}

design_like <- function(formula, frame, new, columns = NULL) {
  terms <- stats::delete.response(stats::terms(stats::model.frame(formula, frame)))
  fitted <- stats::model.matrix(terms, frame)
  levels <- stats::.getXlevels(terms, stats::model.frame(terms, frame))
  # A basis outside its knots warns; the caller sees that.
  new_frame <- stats::model.frame(terms, new, xlev = levels, na.action = stats::na.pass)
  X <- stats::model.matrix(terms, new_frame, contrasts.arg = attr(fitted, "contrasts"))
  if (is.null(columns)) X else X[, columns, drop = FALSE]
}

# ---- lmeInfo, the reference -----------------------------------------------------------------

reference <- function(id, what, type) {
  model <- neutral(models[[as.character(id)]]$fit)
  if (what == "extract_varcomp") {
    values <- lmeInfo::extract_varcomp(model, vector = TRUE)
    return(list(names = names(values), values = as.numeric(values)))
  }
  info <- lmeInfo::Fisher_info(model, type = type)
  list(names = as.character(rownames(info)), matrix = unname(info))
}

# lmeInfo reads random effects and groups out of texts by regular expressions. In a copy of the fit
# they get names it reads rightly; the design matrix is handed over as columns of the data.
neutral <- function(fitted) {
  # nlme updates a fitted(.) covariate once more at the end, but not the weights that belong to it
  if (!is.null(vf <- fitted$modelStruct$varStruct) && length(stats::coef(vf))) {
    fitted$modelStruct$varStruct <- nlme::`coef<-`(vf, value = stats::coef(vf))
  }
  if (!inherits(fitted, "lme")) return(fitted)
  structures <- fitted$modelStruct$reStruct
  Z <- stats::model.matrix(structures, fitted$data)
  sizes <- vapply(structures, function(s) length(nlme::Names(s)), 1L)
  ends <- cumsum(sizes)
  n_levels <- length(structures)
  for (i in seq_along(structures)) {
    level <- n_levels + 1L - i
    effects <- sprintf("z%02dx%03dx", level, seq_len(sizes[i]))
    fitted$data[effects] <- lapply(
      seq(ends[i] - sizes[i] + 1L, ends[i]), function(column) as.numeric(Z[, column])
    )
    sum <- Reduce(function(a, b) call("+", a, b), lapply(effects, as.name))
    form <- stats::as.formula(call("~", call("-", sum, 1)), globalenv())
    attr(structures[[i]], "formula") <- form
    attr(structures[[i]], "Dimnames") <- list(effects, effects)
  }
  groups <- sprintf("g%02dx", seq_len(n_levels))
  names(structures) <- rev(groups)
  names(fitted$groups) <- groups
  fitted$modelStruct$reStruct <- structures
  fitted
}
