"""JSON that a person can read: every vector, and every row of a matrix, on one line."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any


def dumps(value: Any) -> str:
    """The value as JSON text."""
    return _text(value, 0) + "\n"


def _text(value: Any, indent: int) -> str:
    pad, inner = " " * indent, " " * (indent + 1)
    if isinstance(value, Mapping) and value:
        items = (f"{inner}{_flat(str(k))}: {_text(v, indent + 1)}" for k, v in value.items())
        return "{\n" + ",\n".join(items) + f"\n{pad}}}"
    if isinstance(value, Sequence) and any(_is_nested(item) for item in value):
        return "[\n" + ",\n".join(f"{inner}{_text(v, indent + 1)}" for v in value) + f"\n{pad}]"
    return _flat(value)


def _is_nested(value: Any) -> bool:
    return isinstance(value, (list, tuple, Mapping))


def _flat(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
