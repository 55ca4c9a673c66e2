# What nlme's anova() says of every model of tests/suites/nlme.toml: sequential and marginal tests by term, hypotheses
# L and Terms, with nlme's own ("containment") denominator df.
#     Rscript r_scripts/reference_anova.R     ->  tests/reference/fixed_effects/anova.json
source("r_scripts/reference_tools.R")

to_list <- "import json, tomllib; print(json.dumps(tomllib.load(open('tests/suites/nlme.toml', 'rb'))['model']))"
suite <- fromJSON(paste(system2("python3", c("-c", shQuote(to_list)), stdout = TRUE), collapse = ""),
                  simplifyVector = FALSE)

same_place <- function(name, fit) {   # as the record that the project's own tests read
  record <- fromJSON(file.path("tests/reference/nlme", paste0(name, ".json")), simplifyVector = TRUE)
  gap <- abs(record$answers$logLik$values - as.numeric(logLik(fit)))
  if (gap > 1e-6 * abs(record$answers$logLik$values)) stop(name, ": logLik is ", gap, " off the record")
}

anova_table <- function(fit, ...) {
  a <- as.data.frame(anova(fit, ...))
  df_den <- if (is.null(a$denDF)) rep(fit$dims$N - fit$dims$p, nrow(a)) else a$denDF
  list(term = I(rownames(a)), df_num = I(a$numDF), df_den = I(df_den), F = I(a$`F-value`), p = I(a$`p-value`))
}

one_hypothesis <- function(fit, ...) {
  said <- tryCatch(anova(fit, ...), error = function(e) conditionMessage(e))
  if (is.character(said)) return(list(refused = said))
  a <- as.data.frame(said)
  df_den <- if (is.null(a$denDF)) fit$dims$N - fit$dims$p else a$denDF
  list(df_num = a$numDF, df_den = df_den, F = a$`F-value`, p = a$`p-value`)
}

hypotheses <- function(fit) {
  names_of <- names(if (inherits(fit, "lme")) fixef(fit) else coef(fit))
  df <- if (inherits(fit, "lme")) fit$fixDF$X else setNames(rep(0, length(names_of)), names_of)
  together <- names(which.max(table(df)))                 # nlme tests only effects that share their df
  chosen <- head(names_of[as.character(df) == together], 3)
  row <- function(weights) replace(setNames(numeric(length(names_of)), names_of), chosen, weights[seq_along(chosen)])
  sets <- list(one = rbind(row(c(1, 2, 0))), two = rbind(row(c(1, 0, 0)), row(c(0.5, -1, 0))),
               dependent = rbind(row(c(1, 1, 0)), row(c(0, 1, 1)), row(c(1, 2, 1))),
               all = diag(length(names_of)))
  colnames(sets$all) <- names_of
  if (length(chosen) < 2) sets <- sets[c("one", "all")]
  if (length(chosen) < 3) sets$dependent <- NULL
  answers <- Map(function(label, L) c(list(label = label, L = list(columns = I(colnames(L)), values = unname(L))),
                                      one_hypothesis(fit, L = L)), names(sets), sets)
  # where rounding hides that the rows are dependent, nlme counts one too many: no reference
  miscounted <- mapply(function(answer, L) !is.null(answer$df_num) && answer$df_num != qr(L)$rank, answers, sets)
  unname(answers[!miscounted])
}

term_sets <- function(fit) {
  terms <- rownames(as.data.frame(anova(fit)))
  wanted <- unique(c(as.list(terms), if (length(terms) > 2) list(utils::tail(terms, 2)), list(setdiff(terms, "(Intercept)"))))
  wanted <- Filter(length, wanted)
  lapply(wanted, function(set) c(list(terms = I(set)), one_hypothesis(fit, Terms = set)))
}

record <- function(spec) {
  name <- spec$name
  message(name)
  fitted <- quietly(fit_spec(spec))
  fit <- fitted$value
  same_place(name, fit)
  types <- list(I = anova_table(fit, type = "sequential"), marginal = anova_table(fit, type = "marginal"))
  if (fit$method == "ML") types$I_unadjusted <- anova_table(fit, type = "sequential", adjustSigma = FALSE)
  if (fit$method == "ML") types$marginal_unadjusted <- anova_table(fit, type = "marginal", adjustSigma = FALSE)
  c(list(name = name), fit_record(spec[setdiff(names(spec), c("name", "expect", "tolerance"))], fit),
    list(said = I(fitted$said), anova = types, hypotheses = hypotheses(fit), term_sets = term_sets(fit)))
}

write_record("anova.json", "reference_anova.R", versions(), models = lapply(suite, record))
