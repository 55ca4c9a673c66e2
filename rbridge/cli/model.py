"""A model on the command line: the options that say it, and the fit."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from ..datasets.sources import load_data
from ..errors import SpecError


def model_options(*, required: bool = True) -> Callable[[Any], Any]:
    """DATA and the options of a model; not required where a command takes a suite too."""
    options = [
        click.argument("data", required=required),
        click.option("--fixed", required=required, help="Fixed effects: 'y ~ x'."),
        click.option("--random", help="Random effects: '~ x | group'. Without it, gls."),
        click.option("--correlation", help="'corAR1(form = ~ time | group)'."),
        click.option("--weights", help="'varIdent(form = ~ 1 | group)'."),
        click.option("--method", type=click.Choice(["REML", "ML"]), default="REML"),
        click.option("--contrasts", multiple=True, metavar="COL=NAME", help="'sex=contr.sum'."),
        click.option("--category", multiple=True, metavar="COL", help="Treat as a factor."),
        click.option("--control", multiple=True, metavar="KEY=VALUE", help="'opt=optim'."),
        click.option("--na-action", type=click.Choice(["drop", "raise"]), default="drop"),
    ]

    def decorate(command: Any) -> Any:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


def fit_model(data: str, category: tuple[str, ...], **options: Any) -> Any:
    """The fit that :func:`model_options` describe."""
    from ..api import gls, lme

    frame = load_data(data, Path("."), category)
    fixed, random = options.pop("fixed"), options.pop("random")
    options["contrasts"] = dict(_pair(text, "--contrasts") for text in options["contrasts"])
    pairs = [_pair(text, "--control") for text in options["control"]]
    options["control"] = {key: _literal(value) for key, value in pairs}
    if random is None:
        return gls(fixed, frame, **options)
    return lme(fixed, frame, random, **options)


def _pair(text: str, option: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not (key and equals and value):
        raise SpecError(f"{option} takes name=value, not {text!r}")
    return key.strip(), value.strip()


def _literal(text: str) -> bool | float | str:
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    try:
        return float(text)
    except ValueError:
        return text
