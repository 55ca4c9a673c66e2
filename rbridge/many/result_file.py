"""Results that grow line by line, so that a killed run goes on where it ended."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import Any

import pandas as pd

from ..errors import RBridgeError

HEADER = {"rbridge": "results"}


class ResultFileError(RBridgeError, ValueError):
    """A result file that belongs to something else."""


class ResultFile:
    """JSON lines: a header that says what the results are of, then one result a line.

    Attributes
    ----------
    rows : list of dict
        The results that were there. A last line without its end (the run was killed while
        writing) is dropped from the file.

    Raises
    ------
    ResultFileError
        The file is no result file, or one of other models or data.
    """

    def __init__(self, path: str | PathLike[str], fingerprint: str) -> None:
        self.path = Path(path)
        lines = [json.loads(line) for line in _whole_lines(self.path)]
        if not lines:
            lines = [{**HEADER, "fingerprint": fingerprint}]
            self._write(lines)
        if lines[0]["fingerprint"] != fingerprint:
            what = "holds results of other models, data or standard errors"
            raise ResultFileError(f"{path} {what}: delete it or choose another name")
        self.rows: list[dict[str, Any]] = lines[1:]

    def append(self, results: Sequence[Any]) -> None:
        """Write dataclass instances, all of them in one go."""
        self._write([vars(result) for result in results])

    def _write(self, rows: Sequence[Any]) -> None:
        text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        with open(self.path, "ab") as file:
            file.write(text.encode("utf-8"))


def _whole_lines(path: Path) -> list[str]:
    """The lines of the file; what stands after the last line end is cut off."""
    content = path.read_bytes() if path.exists() else b""
    ours = json.dumps(HEADER)[:-1].encode()
    if content[: len(ours)] != ours[: len(content)]:
        raise ResultFileError(f"{path} is no result file of rbridge: choose another name")
    end = content.rfind(b"\n") + 1
    if end < len(content):
        with open(path, "r+b") as file:
            file.truncate(end)
    return content[:end].decode("utf-8").split("\n")[:-1]


def fingerprint(data: pd.DataFrame, content: Any) -> str:
    """A text that changes with the data or with the (plain) content."""
    digest = hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode())
    digest.update(pd.util.hash_pandas_object(data, index=False).to_numpy().tobytes())
    return digest.hexdigest()
