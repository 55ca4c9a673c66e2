# The state of R and the wrapper round every call. Python calls the functions of these files by name
# through `call_safely`; arguments and answers are plain vectors and named lists. Fitted models stay
# here, under a number.

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

# Forget a model and its data.
release <- function(id) {
  suppressWarnings(rm(list = as.character(id), envir = models))
  suppressWarnings(rm(list = paste0(".rb_", id), envir = shelf))
}

# What a user's session may have changed and a fit depends on.
settings <- list(
  contrasts = c(unordered = "contr.treatment", ordered = "contr.poly"),
  na.action = "na.omit", OutDec = ".", warn = 0L, scipen = 0L, digits = 7L,
  expressions = 5000L, device = function(...) grDevices::pdf(NULL)
)

# ---- the wrapper round every call ----------------------------------------------------------

# nlme comes compiled; to compile what is said here costs half a second, and no call is quicker.
call_safely <- function(written, held) {
  compiling <- compiler::enableJIT(0L)
  on.exit(compiler::enableJIT(compiling))
  safely(written, held)
}

# `written` is a list of the function's name and its arguments, `held` the large arrays of it.
safely <- function(written, held) {
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
        {
          asked <- unpack(written, held)
          do.call(get(asked[[1L]], mode = "function"), asked[-1L], quote = TRUE)
        },
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
  pack(list(value = value, error = failure, warnings = warned, messages = said))
}

unpack <- function(written, held) {
  value <- unserialize(written)
  if (length(held)) fill(value, held) else value
}

# In place of a large array stands its number.
fill <- function(value, held) {
  if (is.raw(value)) return(held[[readBin(value, "integer")]])
  if (is.list(value)) value[] <- lapply(value, fill, held)
  value
}

# Small answers cross the bridge as one vector.
pack <- function(answer) {
  if (utils::object.size(answer) > 2^17) return(answer)
  suppressWarnings(serialize(answer, NULL, xdr = FALSE, version = 2L))  # of environments
}

# What a call may change and other users of this R or of this process would notice.
keep_state <- function() {
  directory <- getwd()
  seed <- get0(".Random.seed", globalenv(), inherits = FALSE)
  devices <- grDevices::dev.list()
  old <- options(settings)
  # decimal commas; messages that convergence is read from; the order of levels that a formula makes
  locales <- vapply(c("LC_NUMERIC", "LC_MESSAGES", "LC_COLLATE"), Sys.getlocale, "")
  collator <- icuGetCollate()  # goes on under another locale, until one is set
  by_icu <- !collator %in% c("ASCII", "ICU not in use")
  changed <- locales[locales != "C" | by_icu & names(locales) == "LC_COLLATE"]
  for (category in names(changed)) suppressWarnings(Sys.setlocale(category, "C"))
  function() {
    options(old)
    for (category in names(changed)) suppressWarnings(Sys.setlocale(category, changed[[category]]))
    if (by_icu) icuSetCollate(locale = collator)
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
