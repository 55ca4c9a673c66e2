"""The picture of the README: python docs/images/make_images.py"""

from pathlib import Path

import matplotlib

import rbridge as rb

matplotlib.rcParams["svg.hashsalt"] = "growth"  # the same bytes each time
df = rb.datasets.load("orthodont")
fit = rb.lme("distance ~ age * sex", data=df, random="~ age | subject")
children = ["M10", "M13", "F10"]
figure = fit.plot_predictions(by="age", interval="confidence", groups=children, figsize=(6.4, 2.6))
figure.savefig(Path(__file__).with_name("growth.svg"), facecolor="white", metadata={"Date": None})
