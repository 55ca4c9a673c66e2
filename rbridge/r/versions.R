# Which R and which packages are here.

versions <- function(load = FALSE) {
  c(
    list(R = paste(R.version$major, R.version$minor, sep = ".")),
    installed("nlme", load), installed("lmeInfo", load),
    list(
      platform = R.version$platform, BLAS = c(utils::sessionInfo()$BLAS, "")[1L],
      libraries = .libPaths(), locale = Sys.getlocale("LC_CTYPE")
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
