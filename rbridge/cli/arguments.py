"""Arguments and options that several commands take."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from ..model.spec import METHODS, NA_ACTIONS
from ..options import ENGINES

FORMATS = ("text", "json", "markdown", "junit", "html")
OUTPUT = click.Path(dir_okay=False, path_type=Path)
FOLDER = click.Path(file_okay=False, path_type=Path)
ANY_PATH = click.Path(path_type=Path)
KINDS = ("percentile", "basic", "bca")  # a test holds them to what the package knows
JOBS = click.option(
    "--jobs", type=click.IntRange(1), default=1, show_default=True, help="Processes."
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

    def decorate(command: Any) -> Any:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate
