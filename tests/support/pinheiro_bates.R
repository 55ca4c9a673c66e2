# usage: Rscript pinheiro_bates.R FOLDER_OF_RBRIDGE_R ANSWER.rds
# Every lme and gls that nlme's own scripts of Pinheiro and Bates (2000) fit, described as a snapshot;
# and of every linear fit that they leave behind: class, coefficients, log-likelihood.

arguments <- commandArgs(TRUE)
for (part in c("session", "payload", "nlme", "bases", "snapshot", "terms")) {
  source(file.path(arguments[1L], paste0(part, ".R")))
}
suppressMessages(library(nlme))
grDevices::pdf(NULL)

linear <- function(x) inherits(x, c("lme", "gls")) && !inherits(x, c("nlme", "gnls"))

# Does the expression fit something, or is it needed for what follows?
wanted <- function(e) {
  assigned <- is.call(e) && as.character(e[[1L]])[1L] %in% c("<-", "=")
  value <- if (assigned) e[[3L]] else e
  slow <- any(c("nlme", "nlsList", "gnls", "simulate.lme") %in% all.names(value))
  (assigned || any(c("data", "options", "library", "contrasts") %in% all.names(e))) && !slow
}

# What a variance function takes from the fit itself, component by component.
computed <- function(vf) {
  parts <- if (inherits(vf, "varComb")) unclass_list(vf) else if (is.null(vf)) list() else list(vf)
  vapply(parts, function(part) {
    text <- paste(deparse(stats::formula(part)), collapse = "")
    if (grepl("fitted(.", text, fixed = TRUE)) "fitted"
    else if (grepl("resid(.", text, fixed = TRUE)) "resid" else ""
  }, "")
}

# The same fit to the same rows in the order of the groups, as rbridge sends them.
described <- function(fit, room) {
  given <- nlme::getData(fit)
  data <- as.data.frame(given)
  groups <- if (inherits(fit, "lme")) fit$groups else fit["groups"]
  if (length(groups[[1L]])) {
    if (nrow(data) != length(groups[[1L]])) stop("rows were left out")
    data <- data[do.call(order, unname(as.list(groups))), , drop = FALSE]
  }
  rownames(data) <- NULL
  call <- fit$call
  call$data <- data
  # a groupedData, from which lme takes what the call leaves out
  for (name in setdiff(names(attributes(given)), c("names", "row.names"))) {
    attr(call$data, name) <- attr(given, name)
  }
  call$subset <- call$na.action <- NULL
  again <- eval(call, room)
  # na.pass keeps what nlme would drop
  if (nrow(data) != again$dims$N) stop("rows were left out")
  list(
    kind = if (inherits(fit, "lme")) "lme" else "gls", method = fit$method,
    computed = computed(again$modelStruct$varStruct), snapshot = snapshot(again, data)
  )
}

# What the script ends with, under its name there.
left_behind <- function(room) {
  fits <- mget(ls(room, pattern = "^fm"), room)
  lapply(Filter(function(x) linear(x) || inherits(x, c("lm", "lmList")), fits), function(fit) {
    ll <- if (linear(fit)) stats::logLik(fit)
    list(
      kind = class(fit)[1L], log_lik = as.numeric(ll), df = as.numeric(attr(ll, "df")),
      coef = as.numeric(if (inherits(fit, "lme")) nlme::fixef(fit) else unlist(coef(fit)))
    )
  })
}

found <- ended <- list()
for (chapter in c("ch01", "ch02", "ch03", "ch04", "ch05", "ch08")) {
  room <- new.env(parent = globalenv())
  for (e in parse(system.file("scripts", paste0(chapter, ".R"), package = "nlme"))) {
    if (!wanted(e)) next
    before <- mget(ls(room), room)
    try(suppressWarnings(eval(e, room)), silent = TRUE)
    for (name in ls(room)) {
      fit <- room[[name]]
      if (!linear(fit) || identical(fit, before[[name]])) next
      label <- make.unique(c(names(found), paste(chapter, name)))[length(found) + 1L]
      found[[label]] <- tryCatch(
        suppressWarnings(described(fit, room)),
        error = function(e) list(reason = conditionMessage(e))
      )
    }
  }
  ended[[chapter]] <- left_behind(room)
}
saveRDS(list(fits = found, ended = ended), arguments[2L])
