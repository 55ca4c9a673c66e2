"""Annotations as GitHub reads them: workflow commands, a line each, on standard output.

https://docs.github.com/actions/reference/workflow-commands-for-github-actions
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Literal

_PLACE = re.compile(r"(.+?):(\d+)")


def annotation(
    level: Literal["error", "warning", "notice"], message: str, title: str, where: str = ""
) -> str:
    """One annotation.

    Parameters
    ----------
    level : {"error", "warning", "notice"}
    message : str
        May have several lines.
    title : str
    where : str
        ``file`` or ``file:line``; empty where it belongs to no file.
    """
    told = {**_place(where), "title": title}
    properties = ",".join(f"{name}={_property(text)}" for name, text in told.items())
    return f"::{level} {properties}::{_data(message)}"


def _place(where: str) -> dict[str, str]:
    if not where:
        return {}
    found = _PLACE.fullmatch(where)
    path = {"file": _in_repository(found[1] if found else where)}
    return {**path, "line": found[2]} if found else path


def _in_repository(path: str) -> str:
    """The path as the repository has it, where it is within."""
    root = Path(os.environ.get("GITHUB_WORKSPACE") or os.curdir).resolve()
    whole = Path(path).resolve()
    return (whole.relative_to(root) if whole.is_relative_to(root) else whole).as_posix()


def _data(text: str) -> str:
    """Escaped as the runner unescapes it."""
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
