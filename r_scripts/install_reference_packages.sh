#!/bin/sh
# Installs the R packages that r_scripts/reference_*.R compare with. Maintainers only: neither a user nor the tests
# need them. Debian's packages as they are; from CRAN what Debian has not, into a folder of its own.
#   usage: r_scripts/install_reference_packages.sh [LIBRARY]     LIBRARY: by default $REFERENCE_R_LIB, or /tmp/rlib
# mmrm is compiled from C++: some five minutes on two cores.
set -eu
library=${1:-${REFERENCE_R_LIB:-/tmp/rlib}}

DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
    r-base-dev r-cran-jsonlite r-cran-nlme r-cran-lme4 r-cran-pbkrtest r-cran-lmertest r-cran-emmeans \
    r-cran-clubsandwich r-cran-mvtnorm r-cran-checkmate r-cran-generics r-cran-lifecycle r-cran-rcpp \
    r-cran-rcppeigen r-cran-stringr r-cran-testthat r-cran-tibble r-cran-tmb \
    r-cran-mitml r-cran-cubature r-cran-readxl r-cran-teachingdemos

mkdir -p "$library"
R_LIBS="$library" MAKEFLAGS=-j2 Rscript - "$library" <<'R'
library_folder <- commandArgs(TRUE)
# replicateBE carries data that export_datasets.R writes; its own dependencies are needed to install it
missing <- setdiff(c("mmrm", "replicateBE"), rownames(installed.packages(library_folder)))
if (length(missing)) install.packages(missing, lib = library_folder)
still <- setdiff(c("mmrm", "replicateBE"), rownames(installed.packages(library_folder)))
if (length(still)) stop("not installed: ", paste(still, collapse = ", "))
R
Rscript "$(dirname "$0")/install_packages.R" "$library"
echo "R packages for the references are in $library"
