# What the reference_*.R scripts share: where the packages are, the shipped data, models from the words of a suite,
# tables and matrices that carry their names, and JSON with every digit. Sourced, never run.

reference_lib <- Sys.getenv("REFERENCE_R_LIB", "/tmp/rlib")   # see install_reference_packages.sh
.libPaths(c(reference_lib, .libPaths(), Sys.glob(".venv/lib/R")))
suppressPackageStartupMessages({
  library(nlme)
  library(jsonlite)
})
options(contrasts = c("contr.treatment", "contr.poly"), warn = 1, OutDec = ".")
destination <- "tests/reference/fixed_effects"
stopifnot("run from the project's root" = dir.exists(destination))

# ---- data ------------------------------------------------------------------------------------------------------

catalogue <- fromJSON("rbridge/datasets/datasets.json", simplifyVector = FALSE)$datasets

# A shipped data set as rbridge sends it to R: a factor is ordered only where its values are. `omit`: positions, from 0.
shipped <- function(name, omit = integer()) {
  columns <- catalogue[[name]]$columns
  data <- read.csv(file.path("rbridge/datasets", paste0(name, ".csv")), colClasses = "character", na.strings = "",
                   check.names = FALSE)
  for (column in names(columns)) {
    about <- columns[[column]]
    data[[column]] <- if (about$kind == "number") as.numeric(data[[column]]) else
      factor(data[[column]], unlist(about$levels), ordered = about$ordered && !about$grouping)
  }
  data$row <- seq_len(nrow(data)) - 1L
  if (length(omit)) data[-(omit + 1L), ] else data
}

# ---- models from the words of a suite ----------------------------------------------------------------------------

code <- function(text) eval(parse(text = text)[[1]], globalenv())

structure_of <- function(x) {   # "~ age", "pdDiag(~ age)" or list(class = "pdDiag", form = "~ age", …)
  if (is.character(x)) return(code(x))
  args <- x[names(x) != "class"]
  if (!is.null(args$blocks)) args <- list(lapply(args$blocks, structure_of))
  if (!is.null(args$form)) args$form <- code(args$form)
  do.call(x$class, args)
}

random_of <- function(random) {
  if (is.character(random)) return(code(random))
  several <- lapply(random, function(level) if (is.list(level) && is.null(names(level))) level else list(level))
  setNames(lapply(unlist(several, FALSE, FALSE), structure_of), rep(names(several), lengths(several)))
}

model_data <- function(spec) {
  data <- shipped(spec$data, unlist(spec$omit))
  for (name in unlist(spec$category)) data[[name]] <- factor(data[[name]])
  kept <- intersect(unique(unlist(lapply(unlist(spec[c("fixed", "random", "correlation", "weights")]),
                                         function(text) all.names(parse(text = text))))), names(data))
  kept <- unique(c(kept, intersect(names(spec$random), names(data))))
  data <- droplevels(data[complete.cases(data[kept]), ])
  for (name in names(spec$contrasts)) contrasts(data[[name]]) <- spec$contrasts[[name]]
  data
}

# The fit of a spec: list(kind =, data =, fixed =, random =, correlation =, weights =, method =, control =, …).
fit_spec <- function(spec, data = model_data(spec)) {
  kind <- if (is.null(spec$random)) "gls" else "lme"
  args <- list(code(spec$fixed), data = data)
  names(args)[1] <- if (kind == "lme") "fixed" else "model"
  if (kind == "lme") args$random <- random_of(spec$random)
  if (!is.null(spec$correlation)) args$correlation <- structure_of(spec$correlation)
  if (!is.null(spec$weights)) args$weights <- structure_of(spec$weights)
  args$method <- if (is.null(spec$method)) "REML" else spec$method
  args$na.action <- na.fail
  if (length(spec$control)) args$control <- spec$control
  do.call(kind, args, quote = TRUE)   # the call holds the frame itself, so that other packages find it again
}

# clubSandwich and emmeans look for a gls's data by name.
findable <- function(fit, data) {
  assign("fitted_data", data, globalenv())
  fit$call$data <- quote(fitted_data)
  fit
}

# The same call as a reader would type it.
call_text <- function(spec) {
  text <- function(x) {
    if (is.character(x)) return(x)
    if (is.null(names(x))) return(paste0("list(", paste(vapply(x, text, ""), collapse = ", "), ")"))
    named <- function(x) paste(names(x), vapply(x, function(value) if (is.numeric(value) || is.logical(value))
      paste(deparse(value), collapse = "") else text(value), ""), sep = " = ", collapse = ", ")
    if (is.null(x$class)) paste0("list(", named(x), ")") else paste0(x$class, "(", named(x[names(x) != "class"]), ")")
  }
  kind <- if (is.null(spec$random)) "gls" else "lme"
  parts <- c(spec$fixed, paste("data =", spec$data),
             vapply(intersect(c("random", "correlation", "weights"), names(spec)),
                    function(part) paste(part, "=", text(spec[[part]])), ""),
             if (!is.null(spec$method)) paste0("method = \"", spec$method, "\""),
             if (length(spec$control)) paste("control =", paste(deparse(spec$control), collapse = "")))
  paste0(kind, "(", paste(parts, collapse = ", "), ")")
}

# Newton's method from where bobyqa stops: lmer's optimum to the last digits that its deviance tells.
newton <- function(fn, par, lower, upper, control) {
  start <- lme4::nloptwrap(par = par, fn = fn, lower = lower, upper = upper, control = list(algorithm = "NLOPT_LN_BOBYQA", xtol_abs = 1e-12, ftol_abs = 1e-12, maxeval = 1e5))
  par <- start$par
  for (step in 1:6) {
    slope <- numDeriv::grad(fn, par)
    move <- solve(numDeriv::hessian(fn, par), slope)
    if (max(abs(move)) < 1e-10 || any(par - move < lower)) break
    par <- par - move
  }
  list(par = par, fval = fn(par), conv = 0, feval = start$feval, message = "Newton")
}

# ---- what stands in a record ---------------------------------------------------------------------------------------

matrix_of <- function(m) {   # rows and columns by name
  m <- as.matrix(m)
  list(rows = I(or(rownames(m), seq_len(nrow(m)))), columns = I(colnames(m)), values = unname(unclass(m)))
}
or <- function(x, default) if (is.null(x)) default else x
table_of <- function(frame) lapply(as.list(frame), function(x) I(if (is.factor(x)) as.character(x) else unname(x)))

cor_values <- function(cor) if (!is.null(cor))
  list(class = class(cor)[1], values = I(unname(coef(cor, unconstrained = FALSE))))
var_values <- function(var) {
  if (is.null(var)) return(list())
  parts <- if (inherits(var, "varComb")) unclass(var) else list(var)
  unname(lapply(parts, function(part) {
    values <- unlist(coef(part, unconstrained = FALSE, allCoef = TRUE))
    list(class = class(part)[1], names = I(or(names(values), character())), values = I(as.numeric(values)))
  }))
}
random_levels <- function(fit) {   # outermost first; D on the scale of the response
  if (inherits(fit, "gls")) return(list())
  structures <- rev(fit$modelStruct$reStruct)
  unname(Map(function(group, pd) list(group = group, pd_class = class(pd)[1], names = I(Names(pd)),
                                      D = unname(unclass(as.matrix(pd))) * fit$sigma^2),
             names(structures), structures))
}

# Everything that the same model needs to stand at the same place: components, fixed effects, nlme's own inference.
fit_record <- function(spec, fit) {
  is_lme <- inherits(fit, "lme")
  beta <- if (is_lme) fixef(fit) else coef(fit)
  list(spec = spec, call = call_text(spec), kind = if (is_lme) "lme" else "gls", method = fit$method, n = fit$dims$N,
       coef_names = I(names(beta)), beta = I(unname(beta)), vcov = unname(vcov(fit)),
       df = I(as.numeric(if (is_lme) fit$fixDF$X else rep(fit$dims$N - length(beta), length(beta)))),
       sigma = fit$sigma, log_lik = as.numeric(logLik(fit)), levels = random_levels(fit),
       cor = cor_values(fit$modelStruct$corStruct), var = var_values(fit$modelStruct$varStruct))
}

# The design, rows ordered by the groups: what tests/support/designs.py makes a snapshot from.
design_record <- function(spec, fit, data) {
  is_lme <- inherits(fit, "lme")
  cor <- fit$modelStruct$corStruct
  groups <- if (is_lme) fit$groups else if (!is.null(cor)) data.frame(getGroups(cor))
  keys <- lapply(groups, function(g) match(as.character(g), unique(as.character(g))))
  order <- if (length(keys)) do.call(base::order, unname(keys)) else seq_len(nrow(data))
  frame <- model.frame(formula(fit), data)
  X <- model.matrix(formula(fit), data)
  codes <- function(upto) {
    key <- do.call(paste, lapply(groups[seq_len(upto)], as.character))[order]
    match(key, unique(key)) - 1L
  }
  levels <- random_levels(fit)
  for (i in seq_along(levels)) {
    forms <- formula(rev(fit$modelStruct$reStruct)[[i]])   # pdBlocked has several
    Z <- do.call(cbind, lapply(if (is.list(forms)) forms else list(forms), model.matrix, data))
    levels[[i]]$codes <- codes(i)
    levels[[i]]$Z <- unname(Z[order, , drop = FALSE])
  }
  list(rows = data$row[order], y = as.numeric(model.response(frame))[order], X = unname(X[order, , drop = FALSE]),
       levels = levels)
}

versions <- function(...) {
  packages <- c("nlme", ...)
  c(list(R = R.version.string), lapply(setNames(packages, packages), function(p) as.character(packageVersion(p))))
}

# Warnings and messages as part of the record: none may pass unseen.
quietly <- function(expression) {
  said <- character()
  note <- function(c, restart) {
    said <<- c(said, trimws(conditionMessage(c)))
    invokeRestart(restart)
  }
  value <- withCallingHandlers(expression, warning = function(c) note(c, "muffleWarning"),
                               message = function(c) note(c, "muffleMessage"))
  list(value = value, said = unique(said))
}

# ---- JSON: the shortest decimals that read back as the same doubles --------------------------------------------------

digits_of <- function(x) {
  text <- sprintf("%.15g", x)
  for (digits in 16:17) {
    off <- as.numeric(text) != x
    text[off] <- sprintf(paste0("%.", digits, "g"), x[off])
  }
  text
}

to_json <- function(x, where = "") {
  if (is.null(x)) return("null")
  if (is.matrix(x)) {
    rows <- vapply(seq_len(nrow(x)), function(i) to_json(I(unname(x[i, ])), where), "")
    return(paste0("[", paste(rows, collapse = ","), "]"))
  }
  if (is.list(x)) {
    if (!length(x)) return("[]")
    if (is.null(names(x)))
      return(paste0("[", paste(mapply(to_json, x, paste0(where, "[", seq_along(x), "]")), collapse = ","), "]"))
    fields <- mapply(function(value, name) paste0(toJSON(name, auto_unbox = TRUE), ":", to_json(value, paste0(where, ".", name))),
                     x, names(x))
    return(paste0("{", paste(fields, collapse = ","), "}"))
  }
  as_array <- inherits(x, "AsIs") || length(x) != 1L
  x <- unclass(x)
  items <- if (is.logical(x) && !anyNA(x)) tolower(x)
    else if (is.character(x) && !anyNA(x)) vapply(x, function(s) as.character(toJSON(s, auto_unbox = TRUE)), "")
    else if (is.numeric(x) && !anyNA(x)) ifelse(is.finite(x), digits_of(x), "null")
    else stop(where, " holds a missing value")
  if (is.numeric(x) && any(is.infinite(x)) && !grepl("df|upper|lower", where)) stop(where, " is infinite")
  if (as_array) paste0("[", paste(items, collapse = ","), "]") else items
}

# One line per model, so that a change of one model is one line of a diff.
write_record <- function(file, script, packages, ...) {
  parts <- list(...)
  one <- function(name) {
    part <- parts[[name]]
    body <- if (is.list(part) && is.null(names(part)) && length(part))
      paste0("[\n", paste(vapply(seq_along(part), function(i) to_json(part[[i]], paste0(name, "[", i, "]")), ""),
                          collapse = ",\n"), "\n]")
    else to_json(part, name)
    paste0(toJSON(name, auto_unbox = TRUE), ":", body)
  }
  head <- c(paste0("\"generator\":\"r_scripts/", script, "\""), paste0("\"versions\":", to_json(packages)))
  path <- file.path(destination, file)
  writeLines(paste0("{", paste(c(head, vapply(names(parts), one, "")), collapse = ",\n"), "}"), path)
  invisible(fromJSON(path))   # it reads back
  message(path, ": ", round(file.size(path) / 1e3), " kB")
}
