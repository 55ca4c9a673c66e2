# Installs the R packages that rbridge/pins.toml pins (today: lmeInfo), from CRAN, and does nothing when they are there.
#   usage: Rscript r_scripts/install_packages.R [LIBRARY]     LIBRARY: a folder; by default R's first writable one
# The version is exact and the archive's SHA-256 is checked. What R's other libraries hold is never changed.
# Exit: 0 installed · 1 refused (wrong archive, no library to write to) · 3 CRAN could not be reached

say <- function(...) message("rbridge: ", ...)
stop_with <- function(status, ...) { say(...); quit("no", status) }

script <- sub("^--file=", "", grep("^--file=", commandArgs(FALSE), value = TRUE)[1])
pins_file <- file.path(dirname(script), "..", "rbridge", "pins.toml")

read_pins <- function(path, section) {
  lines <- readLines(path)
  headers <- grepl("^\\[", lines)
  inside <- cumsum(headers) == match(paste0("[", section, "]"), lines[headers])
  pairs <- regmatches(lines[inside], regexec('^([^ =]+) *= *"([^"]*)"', lines[inside]))
  pairs <- do.call(rbind, Filter(length, pairs))
  setNames(pairs[, 3], pairs[, 2])
}

sha256 <- function(path) {
  if (exists("sha256sum", asNamespace("tools"))) return(unname(get("sha256sum", asNamespace("tools"))(path)))
  tool <- if (nzchar(Sys.which("sha256sum"))) "sha256sum" else "shasum -a 256"
  sub(" .*", "", system(paste(tool, shQuote(path)), intern = TRUE))
}

cran <- function() {
  if (identical(unname(getOption("repos")["CRAN"]), "@CRAN@")) chooseCRANmirror(ind = 1, local.only = TRUE)
  contrib.url(getOption("repos")["CRAN"], type = "source")
}

installed <- function(package, version, libraries) {
  found <- Filter(function(lib) file.exists(file.path(lib, package, "DESCRIPTION")), libraries)
  if (length(found) && packageVersion(package, found[1]) == version) found[1]
}

# The current folder of CRAN holds a version only until the next one is out; its archive holds all the older ones.
fetch <- function(package, version) {
  file <- sprintf("%s_%s.tar.gz", package, version)
  target <- file.path(tempdir(), file)
  places <- c("src/contrib" = cran(), "the archive" = file.path(cran(), "Archive", package))
  for (place in names(places)) {
    got <- try(suppressWarnings(download.file(paste0(places[place], "/", file), target, quiet = TRUE)), silent = TRUE)
    if (identical(got, 0L)) { say(file, " comes from CRAN, ", place); return(target) }
  }
  stop_with(3L, file, " could not be fetched from CRAN, neither from src/contrib nor from the archive")
}

library_to_write <- function(arguments) {
  if (length(arguments)) return(normalizePath(arguments[1], mustWork = FALSE))
  writable <- Filter(function(lib) file.access(lib, 2L) == 0L, .libPaths())
  if (!length(writable)) stop_with(1L, "none of R's libraries is writable: name a folder as the argument")
  writable[1]
}

# R writes into a package when it was installed and where its sources lay. SOURCE_DATE_EPOCH asks for the same bytes each time.
install <- function(archive, package, library) {
  epoch <- Sys.getenv("SOURCE_DATE_EPOCH")
  sources <- if (nzchar(epoch)) file.path(dirname(tempdir()), "rbridge-sources") else tempfile("sources")
  on.exit(unlink(sources, recursive = TRUE))
  untar(archive, exdir = sources)
  moment <- format(as.POSIXct(as.numeric(epoch), "UTC", "1970-01-01"), "%Y-%m-%dT%H:%M:%SZ")
  stamp <- if (nzchar(epoch)) paste0("--built-timestamp=", moment)
  install.packages(file.path(sources, package), lib = library, repos = NULL, type = "source", quiet = TRUE, INSTALL_opts = stamp)
}

options(timeout = 30)
pins <- read_pins(pins_file, "cran")
library_folder <- library_to_write(commandArgs(TRUE))
for (package in grep("-sha256$", names(pins), value = TRUE, invert = TRUE)) {
  version <- pins[[package]]
  at <- installed(package, version, c(library_folder, .libPaths()))
  if (!is.null(at)) { say(package, " ", version, " is in ", at); next }
  archive <- fetch(package, version)
  expected <- pins[[paste0(package, "-sha256")]]
  if (sha256(archive) != expected)
    stop_with(1L, basename(archive), ": SHA-256 is ", sha256(archive), ", pinned is ", expected, "; nothing installed")
  dir.create(library_folder, FALSE, TRUE)
  install(archive, package, library_folder)
  if (is.null(installed(package, version, library_folder)))
    stop_with(1L, package, " ", version, " did not install into ", library_folder)
  say(package, " ", version, " installed into ", library_folder)
}
