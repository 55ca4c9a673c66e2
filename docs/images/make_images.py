"""The picture of the README: python docs/images/make_images.py"""

from pathlib import Path

import rbridge as rb

orthodont = rb.datasets.load("orthodont")
contrasts = {"sex": "contr.sum"}
fit = rb.lme("distance ~ age * sex", orthodont, "~ age | subject", contrasts=contrasts)
methods = ["delta", "expected", "average", "observed", "log", "nlme", "profile"]
fit.plot_varcomp(methods).savefig(Path(__file__).with_name("varcomp.png"), dpi=110)
