# lmeInfo, the reference.

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
