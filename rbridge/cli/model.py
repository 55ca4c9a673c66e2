"""A model from the command line: what its options say, and the fit."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click

from ..api import gls, lme
from ..datasets.sources import load_data
from ..errors import SpecError
from ..results import LmeResults


def show_fit(snapshot: Path | None, **model: Any) -> None:
    """The fit of a model, shown and, if asked for, saved."""
    result = fit_model(**model)
    click.echo(str(result.summary()))
    click.echo(str(result.diagnose()))
    if snapshot is not None:
        result.snapshot.save(snapshot)
        click.echo(f"saved to {snapshot}", err=True)


def fit_model(data: str, category: tuple[str, ...], **options: Any) -> LmeResults:
    """The fit that :func:`~rbridge.cli.arguments.model_options` describe."""
    frame = load_data(data, Path("."), category)
    fixed, random = options.pop("fixed"), options.pop("random")
    options["engine"] = options["engine"] or "nlme"
    options["contrasts"] = _pairs(options["contrasts"], "--contrasts")
    control = _pairs(options["control"], "--control")
    options["control"] = {key: _literal(value) for key, value in control.items()}
    if random is None:
        return gls(fixed, frame, **options)
    return lme(fixed, frame, random, **options)


def _pairs(texts: Iterable[str], option: str) -> dict[str, str]:
    pairs = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not (key and equals and value):
            raise SpecError(f"{option} takes name=value, not {text!r}")
        pairs[key.strip()] = value.strip()
    return pairs


def _literal(text: str) -> bool | float | str:
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    try:
        return float(text)
    except ValueError:
        return text
