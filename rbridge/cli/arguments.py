"""Arguments and options that several commands take."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click

from ..model.spec import METHODS, NA_ACTIONS
from ..options import ENGINES
from ..suite.limit import is_timeout
from .output import OutputFile, OutputFolder
from .reports import FORMS, ReportFile

OUTPUT = OutputFile()
FOLDER = OutputFolder()
ANY_PATH = click.Path(path_type=Path)
FIT_FORMATS = ("text", "json", "markdown", "html", "csv")
DDF = ("kenward-roger", "satterthwaite", "containment", "residual", "normal")
INFORMATION = ("expected", "observed")
KR = ("linear", "full")
VCOV = ("model", "CR0", "CR2", "CR3")
TYPES = ("I", "II", "III", "marginal")
MEAN_WEIGHTS = ("equal", "proportional", "cells")
HOW = ("pairwise", "reference", "consecutive", "polynomial")
ADJUSTMENTS = ("none", "bonferroni", "holm", "tukey", "dunnett", "mvt")
KINDS = ("percentile", "basic", "bca")  # a test holds them to what the package knows


class Seconds(click.ParamType):
    """A time limit."""

    name = "SECONDS"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        try:
            seconds = float(value)
        except ValueError:
            seconds = 0.0
        if not is_timeout(seconds):
            self.fail(f"{value!r} is no positive number of seconds", param, ctx)
        return seconds


JOBS = click.option(
    "--jobs", type=click.IntRange(1), default=1, show_default=True, help="Processes."
)
TIMEOUT = click.option(
    "--timeout",
    type=Seconds(),
    help="For each model; a longer one could not be checked.",
)
ENGINE = click.option(
    "--engine",
    type=click.Choice(ENGINES),
    help="Who finds the optimum; 'nlme' unless said (docs/engines.md).",
)


def model_options(*, required: bool = True) -> Callable[[Any], Any]:
    """DATA and the options of a model; not required where a command takes a suite too."""
    options = [
        click.argument("data", required=required),
        click.option("--fixed", required=required, help="Fixed effects: 'y ~ x'."),
        click.option("--random", help="Random effects: '~ x | group'. Without it, gls."),
        click.option("--correlation", help="'corAR1(form = ~ time | group)'."),
        click.option("--weights", help="'varIdent(form = ~ 1 | group)'."),
        click.option("--method", type=click.Choice(METHODS), default=METHODS[0]),
        click.option("--contrasts", multiple=True, metavar="COL=NAME", help="'sex=contr.sum'."),
        click.option("--category", multiple=True, metavar="COL", help="Treat as a factor."),
        click.option("--control", multiple=True, metavar="KEY=VALUE", help="'opt=optim'."),
        ENGINE,
        click.option("--na-action", type=click.Choice(NA_ACTIONS), default=NA_ACTIONS[0]),
    ]

    return _decorated(options)


def report_options() -> Callable[[Any], Any]:
    """Which forms of a report go where."""
    options = [
        click.option("--format", "form", type=click.Choice(FORMS), help="Of -o FILE too."),
        click.option(
            *("-o", "--output", "outputs"),
            type=ReportFile(),
            multiple=True,
            help="In place of standard output, any number: junit:a.xml, html:a.html, text:-.",
        ),
        click.option("--github", is_flag=True, help="Annotations and job summary too."),
    ]
    return _decorated(options)


def fixed_effects_options() -> Callable[[Any], Any]:
    """How the fixed effects are tested, and what of them is shown."""
    choice = click.Choice
    options = [
        click.option("--ddf", type=choice(DDF), help="Degrees of freedom."),
        click.option("--information", type=choice(INFORMATION), help="Behind the df."),
        click.option("--kr", type=choice(KR), help="Form of Kenward–Roger's correction."),
        click.option("--vcov", type=choice(VCOV), help="Covariance of the estimates."),
        click.option("--cluster", metavar="COL", help="With --vcov CR…; else the groups."),
        click.option("--level", type=click.FloatRange(0, 1, True, True), default=0.95),
        click.option("--anova", type=choice(TYPES), help="Tests of the terms."),
        click.option("--test", multiple=True, metavar="TEXT", help="'age = 0, sex1 = 2'."),
        click.option("--means", multiple=True, metavar="COL", help="Marginal means of it."),
        click.option("--by", multiple=True, metavar="COL", help="Means within its levels."),
        click.option("--at", multiple=True, metavar="COL=A,B", help="'age=8,14'."),
        click.option("--mean-weights", type=choice(MEAN_WEIGHTS), default="equal"),
        click.option("--compare", type=choice(HOW), help="Contrasts between the means."),
        click.option("--adjust", type=choice(ADJUSTMENTS), default="none"),
    ]
    return _decorated(options)


def _decorated(options: Sequence[Any]) -> Callable[[Any], Any]:
    def decorate(command: Any) -> Any:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate
