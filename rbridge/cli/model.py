"""A model from the command line: what its options say, and the fit."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pandas as pd

from ..api import gls, lme
from ..datasets.sources import load_data
from ..errors import SpecError
from ..results import LmeResults


def fit_model(data: str, category: tuple[str, ...], **options: Any) -> LmeResults:
    """The fit that :func:`~rbridge.cli.arguments.model_options` describe."""
    return fit_frame(load_data(data, Path("."), category), **options)


def fit_frame(frame: pd.DataFrame, **options: Any) -> LmeResults:
    """The same of data that were read already."""
    fixed, random = options.pop("fixed"), options.pop("random")
    options["engine"] = options["engine"] or "nlme"
    options["contrasts"] = pairs(options["contrasts"], "--contrasts")
    control = pairs(options["control"], "--control")
    options["control"] = {key: literal(value) for key, value in control.items()}
    if random is None:
        return gls(fixed, frame, **options)
    return lme(fixed, frame, random, **options)


def pairs(texts: Iterable[str], option: str) -> dict[str, str]:
    """``name=value`` texts as a mapping."""
    found = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not (key and equals and value):
            raise SpecError(f"{option} takes name=value, not {text!r}")
        found[key.strip()] = value.strip()
    return found


def literal(text: str) -> bool | float | str:
    """True, false, a number, or the text itself."""
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    try:
        return float(text)
    except ValueError:
        return text
