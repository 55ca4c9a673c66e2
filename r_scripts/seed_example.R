# Why three ways to get the variance of a variance component from nlme disagree, on the Orthodont data, in plain R.
#   usage: Rscript r_scripts/seed_example.R        (lmeInfo is optional: make setup, or r_scripts/install_packages.R)
# `rbridge demo` shows the same from Python.

script <- sub("^--file=", "", grep("^--file=", commandArgs(FALSE), value = TRUE)[1])
.libPaths(c(file.path(dirname(script), "..", ".venv", "lib", "R"), .libPaths()))   # where `make setup` puts lmeInfo
library(nlme)
options(width = 100)
heading <- function(text) cat("\n", text, "\n", strrep("-", nchar(text)), "\n", sep = "")
short <- c("var(Intercept)", "var(age)", "cov")

# 1. The model: random intercept and slope of age per subject, REML, sex in sum-to-zero contrasts.
children <- as.data.frame(Orthodont)
names(children) <- tolower(names(children))
contrasts(children$sex) <- "contr.sum"
fit <- lme(distance ~ age * sex, random = ~ age | subject, data = children, method = "REML")
heading("The fit")
print(VarCorr(fit))

# 2. What nlme stores: estimates of u = (log sd, log sd, logit of the correlation, log sigma) and their covariance.
u <- attr(fit$apVar, "Pars")
apvar <- matrix(fit$apVar, length(u), dimnames = list(names(u), names(u)))
heading("fit$apVar: covariance of the unconstrained parameters; Pars: their estimates")
print(apvar)
print(u)

# 3. From u to the components: var_i = exp(2 u_i), cov = rho sd_1 sd_2 with rho = (e^u3 - 1) / (e^u3 + 1) = tanh(u3 / 2).
#    Each row of the Jacobian is one component's gradient.
components <- function(u) c(exp(2 * u[1:2]), tanh(u[3] / 2) * exp(u[1] + u[2]))
jacobian <- function(u) {
  g <- unname(components(u))
  drho <- (1 - tanh(u[3] / 2)^2) / 2
  rbind(c(2 * g[1], 0, 0), c(0, 2 * g[2], 0), c(g[3], g[3], drho * exp(u[1] + u[2])))
}
J <- jacobian(unname(u))
psi <- apvar[1:3, 1:3]

heading("Wrong: squared gradients times the diagonal of apVar")
wrong <- drop(J^2 %*% diag(psi))
print(setNames(signif(wrong, 6), short))
cat("The covariance's value is far too small. The rule takes the three u for uncorrelated, but apVar says",
    sprintf("cor(u2, u3) = %.2f.", cov2cor(psi)[2, 3]),
    "A variance depends on one u only, so for it nothing is lost.", sep = "\n")

heading("Right: the delta method with the whole matrix, J apVar J'")
right <- J %*% psi %*% t(J)
dimnames(right) <- list(short, short)
print(signif(right, 6))
cat("Its off-diagonal elements are the covariances of the estimates.\n")

heading("lmeInfo: the inverse of the expected information")
expected <- if (requireNamespace("lmeInfo", quietly = TRUE)) {
  lmeInfo::varcomp_vcov(fit, type = "expected")[c(1, 3, 2), c(1, 3, 2)]   # its order: var, cov, var
} else NULL
if (is.null(expected)) {
  cat("lmeInfo is not installed (Rscript r_scripts/install_packages.R): this part is left out.\n")
} else {
  dimnames(expected) <- list(short, short)
  print(signif(expected, 6))
}

heading("Side by side: variance of each estimate")
columns <- cbind(wrong = wrong, right = diag(right))
if (!is.null(expected)) columns <- cbind(columns, lmeInfo = diag(expected))
print(signif(columns, 6))
cat("",
    "wrong -> right    the correlations of the u. A mistake, mended by using the whole of apVar.",
    "right -> lmeInfo  no mistake. apVar inverts a finite-difference Hessian (observed information), lmeInfo the",
    "                  information expected over data (analytic derivatives). Where each subject is measured at the",
    "                  same ages, as here, the two are one matrix: the whole gap is the error of the finite differences,",
    "                  which moves with the order of the subjects and the machine's linear algebra (0.1710 to 0.1723",
    "                  seen for the covariance). With unbalanced data the two differ by themselves, and meet as n grows.",
    sep = "\n")
