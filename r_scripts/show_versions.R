# Prints the versions that a number from R depends on.
#   usage: Rscript r_scripts/show_versions.R
script <- sub("^--file=", "", grep("^--file=", commandArgs(FALSE), value = TRUE)[1])
.libPaths(c(file.path(dirname(script), "..", ".venv", "lib", "R"), .libPaths()))   # where `make setup` puts lmeInfo

version_of <- function(package)
  tryCatch(paste0(packageDescription(package, fields = "Version"), "  (", dirname(find.package(package)), ")"),
           error = function(e) "not installed")
software <- extSoftVersion()
cat(sprintf("%-8s %s\n", c("R", "nlme", "lmeInfo", "BLAS", "LAPACK", "platform", "locale"),
            c(R.version.string, version_of("nlme"), version_of("lmeInfo"),
              software[["BLAS"]], paste(La_version(), La_library()), R.version$platform, Sys.getlocale("LC_CTYPE"))), sep = "")
