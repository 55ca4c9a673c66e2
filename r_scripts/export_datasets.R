# Writes small data sets of nlme, and some that other packages' published figures are of, as rbridge/datasets/*.csv,
# with their provenance and licence in rbridge/datasets/datasets.json.
#   usage: Rscript r_scripts/export_datasets.R     (first, once: r_scripts/install_reference_packages.sh)
# Names are lower-case, numbers have all their digits (they read back as the same doubles), factors are text; the order
# of a factor's levels is in the JSON. A grouping factor that nlme orders (by the mean response) is marked `grouping`.
library(nlme)
.libPaths(c(Sys.getenv("REFERENCE_R_LIB", "/tmp/rlib"), .libPaths(), Sys.glob(".venv/lib/R")))
script <- sub("^--file=", "", grep("^--file=", commandArgs(FALSE), value = TRUE)[1])
folder <- file.path(dirname(script), "..", "rbridge", "datasets")
largest <- 150e3   # bytes

book <- "Pinheiro and Bates (2000), Mixed-Effects Models in S and S-PLUS, Springer"
about <- list(   # name = title, first source (all are also in the book above, or in nlme's help alone)
  Alfalfa       = c("Alfalfa yield by variety and date of third cutting, a split plot in six blocks", "Snedecor and Cochran (1980), Statistical Methods, 7th ed., Iowa State University Press"),
  Assay         = c("Log optical density on a cell culture plate, a split block of samples and dilutions", "R. Wolfe and D. Lansky, Searle, Inc."),
  BodyWeight    = c("Body weight of 16 rats on three diets over 64 days", "Crowder and Hand (1990), Analysis of Repeated Measures, Chapman and Hall"),
  Dialyzer      = c("Ultrafiltration rate of 20 dialyzers at seven pressures and two blood flow rates", "Vonesh and Carter (1992), Biometrics 48, 1-18"),
  Earthquake    = c("Peak acceleration by distance in 23 earthquakes of western North America", "Joyner and Boore (1981), Bulletin of the Seismological Society of America 71, 2011-2038"),
  ergoStool     = c("Effort to rise from four types of stool, nine subjects", "Devore (2000), Probability and Statistics for Engineering and the Sciences, 5th ed., Duxbury"),
  Glucose       = c("Blood glucose of six subjects after meals at six times of day", "Hand and Crowder (1996), Practical Longitudinal Data Analysis, Chapman and Hall"),
  Gun           = c("Rounds fired per minute by nine naval gun teams with two methods", "Hicks (1993), Fundamental Concepts in the Design of Experiments, 4th ed., Harcourt Brace"),
  IGF           = c("Radioimmunoassay of insulin-like growth factor in ten tracer lots", "Davidian and Giltinan (1995), Nonlinear Models for Repeated Measurement Data, Chapman and Hall"),
  Machines      = c("Productivity of six workers on three brands of machine", "Milliken and Johnson (1992), Analysis of Messy Data I, Chapman and Hall"),
  Milk          = c("Protein in the milk of 79 cows on three diets, weekly after calving", "Diggle, Liang and Zeger (1994), Analysis of Longitudinal Data, Oxford University Press"),
  Oats          = c("Oat yield by variety and nitrogen, a split plot in six blocks", "Yates (1935), in Venables and Ripley (2002), Modern Applied Statistics with S, 4th ed., Springer"),
  Orthodont     = c("Dental growth of 27 children at ages 8, 10, 12 and 14", "Potthoff and Roy (1964), Biometrika 51, 313-326"),
  Ovary         = c("Large ovarian follicles of 11 mares through the estrus cycle", "Pierson and Ginther (1987), Animal Reproduction Science 14, 219-231"),
  Oxboys        = c("Height of 26 boys from Oxford at nine occasions, by standardised age", "Goldstein (1987), Multilevel Models in Educational and Social Research, Oxford University Press"),
  Oxide         = c("Oxide thickness at three sites of three wafers in each of eight lots", "Littell and others (1996), SAS System for Mixed Models, SAS Institute"),
  Pixel         = c("X-ray pixel intensity in both lymph nodes of ten dogs over days", book),
  Rail          = c("Travel time of ultrasound in six railway rails, three times each", "Devore (2000), Probability and Statistics for Engineering and the Sciences, 5th ed., Duxbury"),
  RatPupWeight  = c("Birth weight of rat pups in 27 litters, three treatments", book),
  Soybean       = c("Leaf weight of two soybean genotypes in 48 plots over three seasons", "Davidian and Giltinan (1995), Nonlinear Models for Repeated Measurement Data, Chapman and Hall"),
  Tetracycline1 = c("Serum tetracycline of five subjects after two formulations", book),
  Wafer         = c("Current through MOS circuits by voltage, eight sites on each of ten wafers", book),
  Wheat         = c("Wheat dry matter by fertilizer and moisture, plants in 12 trays", book),
  Wheat2        = c("Wheat yield of 56 varieties in four blocks, with field coordinates", book)
)

ema <- "European Medicines Agency (2016), Statistical method for equivalence studies"
simulated <- "D. Labes, simulated for CRAN's replicateBE"
others <- list(   # name = package, its data set, title, source, grouping columns, columns left out
  bryant2016 = list("lmeInfo", "Bryant2016", "Mathematics scores of 12 pupils in three schools, multiple baselines across pupils",
                    "Bryant and others (2016), Journal of Learning Disabilities 49, 176-188", c("school", "case"), "study_id"),
  fev        = list("mmrm", "fev_data", "Forced expiratory volume of 200 patients at four visits, a trial of two arms (artificial data)",
                    "openpharma, mmrm: Mixed Models for Repeated Measures", "usubjid", NULL),
  rds01      = list("replicateBE", "rds01", "Bioequivalence of two formulations, full replicate, 77 subjects, incomplete", paste0(ema, ", annex II"), "subject", "logpk"),
  rds02      = list("replicateBE", "rds02", "Bioequivalence of two formulations, partial replicate, 24 subjects", paste0(ema, ", annex III"), "subject", "logpk"),
  rds08      = list("replicateBE", "rds08", "Bioequivalence of two formulations, full replicate, 222 subjects (simulated)", simulated, "subject", NULL),
  rds09      = list("replicateBE", "rds09", "As rds08, the last 37 subjects' values a million times as large", simulated, "subject", NULL),
  rds11      = list("replicateBE", "rds11", "Bioequivalence of two formulations, full replicate, 37 subjects",
                    "Hauschke, Steinijans and Pigeot (2007), Bioequivalence Studies in Drug Development, Wiley", "subject", NULL),
  sleep      = list("datasets", "sleep", "Extra hours of sleep of ten patients with two drugs", "Student (1908), Biometrika 6, 1-25", "id", NULL),
  sleepstudy = list("lme4", "sleepstudy", "Reaction time of 18 subjects over ten days of sleep deprivation",
                    "Belenky and others (2003), Journal of Sleep Research 12, 1-12", "subject", NULL)
)

as_text <- function(x) {   # the shortest decimal that reads back as the same double
  if (is.factor(x)) return(as.character(x))
  one <- function(value) {
    if (is.na(value)) return(NA_character_)
    text <- format(value, digits = 15)
    if (as.numeric(text) == value) text else format(value, digits = 17)
  }
  vapply(x, one, "")
}

json <- function(x, indent = "") {   # named list -> object, unnamed -> array, length-1 atomic -> scalar
  deeper <- paste0(indent, "  ")
  if (inherits(x, "levels")) return(paste0("[", paste(dQuote(unclass(x), FALSE), collapse = ", "), "]"))
  if (is.list(x)) {
    fields <- paste0(deeper, dQuote(names(x), FALSE), ": ", vapply(x, json, "", indent = deeper))
    return(paste0("{\n", paste(fields, collapse = ",\n"), "\n", indent, "}"))
  }
  if (is.logical(x)) tolower(x) else if (is.numeric(x)) format(x) else dQuote(x, FALSE)
}

describe_column <- function(x, grouping) {
  if (!is.factor(x)) return(list(kind = "number"))
  list(kind = "category", ordered = is.ordered(x), grouping = grouping, levels = structure(levels(x), class = "levels"))
}

export <- function(name, data, groups, ...) {
  path <- file.path(folder, paste0(name, ".csv"))
  write.csv(lapply(data, as_text), path, row.names = FALSE, quote = which(vapply(data, is.factor, NA)), na = "")
  if (file.size(path) > largest) stop(name, " is too large")
  c(list(...), list(rows = nrow(data), columns = Map(describe_column, data, names(data) %in% groups)))
}

plain <- function(data) setNames(as.data.frame(data), tolower(names(data)))

of_nlme <- function(name) {
  data <- get(name, asNamespace("nlme"))
  export(tolower(name), plain(data), tolower(all.vars(getGroupsFormula(data))), title = about[[name]][1], source = about[[name]][2],
         also_in = book, package = "nlme", licence = licence("nlme"), nlme_name = name)
}

licence <- function(package) sub("Part of R .*", "GPL-2 | GPL-3", packageDescription(package)$License)

of_another <- function(name) {
  from <- setNames(others[[name]], c("package", "set", "title", "source", "groups", "without"))
  data <- plain(getExportedValue(from$package, from$set))
  export(name, data[!names(data) %in% from$without], from$groups, title = from$title, source = from$source, package = from$package,
         package_version = as.character(packageVersion(from$package)), licence = licence(from$package), package_name = from$set)
}

sets <- c(lapply(setNames(names(about), tolower(names(about))), of_nlme), sapply(names(others), of_another, simplify = FALSE))
header <- list(generator = "r_scripts/export_datasets.R", r = as.character(getRversion()), nlme = as.character(packageVersion("nlme")),
               datasets = sets)
writeLines(json(header), file.path(folder, "datasets.json"))
message(length(sets), " data sets written to ", normalizePath(folder))
