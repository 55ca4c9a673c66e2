"""Suites: models to cross-check, read from TOML, with messages that name the line."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..check.tolerances import TOLERANCES, is_tolerance
from ..datasets import describe
from ..datasets.sources import is_shipped
from ..errors import DataError, SpecError, SuiteError
from ..model.spec import ModelSpec, gls_spec, lme_spec
from ..options import ENGINES, did_you_mean
from .limit import is_timeout
from .toml_lines import MOST_PARTS, deep_key, key_lines

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

SUITE_KEYS: dict[str, tuple[type, ...]] = {
    "data": (str,),
    "category": (list,),
    "engine": (str,),
    "timeout": (int, float),
    "tolerance": (dict,),
    "model": (list,),
}
ARGUMENTS: dict[str, tuple[type, ...]] = {  # of rb.lme and rb.gls, by the same names
    "correlation": (str, dict),
    "weights": (str, dict),
    "method": (str,),
    "contrasts": (dict,),
    "control": (dict,),
    "na_action": (str,),
}
MODEL_KEYS: dict[str, tuple[type, ...]] = {
    "name": (str,),
    "data": (str,),
    "category": (list,),
    "kind": (str,),
    "fixed": (str,),
    "random": (str, dict),
    **ARGUMENTS,
    "engine": (str,),
    "timeout": (int, float),
    "tolerance": (dict,),
    "expect": (dict,),
}
WORDS: dict[type, str] = {str: "text", dict: "a table", list: "an array", float: "a number"}
CODES = ("fit", *TOLERANCES)
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")  # it becomes a file name
_TOML_PLACE = re.compile(r" \(at line (\d+), column (\d+)\)$")


@dataclass(frozen=True)
class Case:
    """One model of a suite.

    Attributes
    ----------
    name : str
    spec : ModelSpec
    data : str
        A shipped data set, or a file relative to ``folder``.
    folder : Path
    category : tuple of str
        Columns to take as factors.
    tolerance : mapping of finding code to float
    expect : mapping of finding code to text
        Findings known beforehand: that code must say that text, and then is no failure.
    where : str
        ``file:line``.
    engine : {"nlme", "pinned", "native"}
    timeout : float or None
        Seconds that the model may take.
    """

    name: str
    spec: ModelSpec
    data: str
    folder: Path
    category: tuple[str, ...] = ()
    tolerance: Mapping[str, float] = field(default_factory=dict)
    expect: Mapping[str, str] = field(default_factory=dict)
    where: str = ""
    engine: str = "nlme"
    timeout: float | None = None


def load_suite(path: str | Path) -> tuple[Case, ...]:
    """Read and check a suite.

    Raises
    ------
    SuiteError
        Every problem of the file, one a line: ``models.toml:12: what``.
    """
    path = Path(path)
    try:
        text = path.read_bytes().decode("utf-8").replace("\r\n", "\n")
        if line := deep_key(text):
            raise SuiteError(f"{path}:{line}: a key of more than {MOST_PARTS} parts")
        content = tomllib.loads(text)
    except OSError as error:
        raise SuiteError(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise SuiteError(f"{path}: is not UTF-8 text: {error}") from None
    except RecursionError:
        raise SuiteError(f"{path}: is nested too deeply") from None
    except tomllib.TOMLDecodeError as error:
        raise SuiteError(_syntax_error(path, str(error))) from None
    return _Reader(path, key_lines(text)).read(content)


def _syntax_error(path: Path, message: str) -> str:
    place = _TOML_PLACE.search(message)
    where = f"{path}:{place[1]}" if place else str(path)
    return f"{where}: {_TOML_PLACE.sub('', message)} (not valid TOML)"


class _Reader:
    """Checks a parsed suite and collects what is wrong with it."""

    def __init__(self, path: Path, lines: Mapping[tuple[str, ...], int]) -> None:
        self.path = path
        self.lines = lines
        self.problems: list[str] = []

    def read(self, content: Mapping[str, Any]) -> tuple[Case, ...]:
        self.check_keys(content, SUITE_KEYS, (), "a suite")
        self.check_common(content, ())
        models = content.get("model", [])
        if not isinstance(models, list) or not all(isinstance(m, dict) for m in models):
            self.problem(("model",), "write each model under its own [[model]]")
            models = []
        elif not models:
            self.problem((), "there is no [[model]]")
        cases = [self.case(table, content, i) for i, table in enumerate(models)]
        self.check_names([case.name for case in cases if case])
        if self.problems:
            raise SuiteError("\n".join(self.problems))
        return tuple(case for case in cases if case)

    def problem(self, key: tuple[str, ...], message: str) -> None:
        self.problems.append(f"{self.where(key)}: {message}")

    def where(self, key: tuple[str, ...]) -> str:
        """``file:line`` of the key, or of what holds it."""
        while key and key not in self.lines:
            key = key[:-1]
        return f"{self.path}:{self.lines.get(key, 1)}"

    def check_keys(
        self,
        table: Mapping[str, Any],
        known: Mapping[str, tuple[type, ...]],
        at: tuple[str, ...],
        what: str,
    ) -> None:
        for key, value in table.items():
            if key not in known:
                self.problem((*at, key), f"{what} has no {key!r}{_hint(key, known)}")
            elif not isinstance(value, known[key]):
                words = " or ".join(WORDS[kind] for kind in known[key] if kind in WORDS)
                self.problem((*at, key), f"{key} must be {words}, not {value!r}")

    def check_common(self, table: Mapping[str, Any], at: tuple[str, ...]) -> None:
        """What a suite and a model both may have: data, category, engine, timeout, tolerance."""
        if isinstance(table.get("data"), str):
            self.check_data(table["data"], (*at, "data"))
        if not all(isinstance(name, str) for name in _listed(table, "category")):
            self.problem((*at, "category"), "category must be an array of column names")
        if isinstance(table.get("engine"), str):
            self.check_code(table["engine"], ENGINES, (*at, "engine"), "engine")
        seconds = table.get("timeout")
        if isinstance(seconds, (int, float)) and not is_timeout(seconds):
            what = f"must be a positive number of seconds, not {seconds!r}"
            self.problem((*at, "timeout"), f"timeout {what}")
        for code, value in _mapped(table, "tolerance").items():
            place = (*at, "tolerance", code)
            self.check_code(code, tuple(TOLERANCES), place, "tolerance")
            if not is_tolerance(value):
                what = f"must be a positive number with an end, not {value!r}"
                self.problem(place, f"the tolerance of {code} {what}")

    def check_data(self, data: str, at: tuple[str, ...]) -> None:
        if not is_shipped(data):
            if not (self.path.parent / data).is_file():
                self.problem(at, f"there is no file {self.path.parent / data}")
            return
        try:
            describe(data)
        except DataError as error:
            self.problem(at, f"{error} A file needs its ending.")

    def check_code(self, code: str, known: tuple[str, ...], at: tuple[str, ...], what: str) -> None:
        if code not in known:
            self.problem(at, f"{what} has no {code!r}{_hint(code, known)}")

    def check_names(self, names: list[str]) -> None:
        for i, name in enumerate(names):
            if name in names[:i]:
                self.problem(("model", str(i), "name"), f"the name {name!r} is taken already")

    def case(self, table: Mapping[str, Any], suite: Mapping[str, Any], number: int) -> Case | None:
        at = ("model", str(number))
        before = len(self.problems)
        self.check_keys(table, MODEL_KEYS, at, "a model")
        self.check_common(table, at)
        for key in ("name", "fixed"):
            if key not in table:
                self.problem(at, f"the model has no {key!r}")
        if isinstance(table.get("name"), str) and not _NAME.fullmatch(table["name"]):
            self.problem((*at, "name"), "a name is letters, digits, '.', '_' and '-' only")
        data = table.get("data", suite.get("data"))
        if data is None:
            self.problem(at, "there is no data, neither here nor at the top of the file")
        for code, text in _mapped(table, "expect").items():
            self.check_code(code, CODES, (*at, "expect", code), "expect")
            if not isinstance(text, str):
                self.problem((*at, "expect", code), f"expect.{code} must be text")
        spec = self.spec(table, at) if len(self.problems) == before else None
        if spec is None:
            return None
        return Case(
            name=table["name"],
            spec=spec,
            data=data,
            folder=self.path.parent,
            category=tuple(table.get("category", suite.get("category", ()))),
            tolerance={**_mapped(suite, "tolerance"), **_mapped(table, "tolerance")},
            expect=_mapped(table, "expect"),
            where=self.where(at),
            engine=table.get("engine", suite.get("engine", "nlme")),
            timeout=table.get("timeout", suite.get("timeout")),
        )

    def spec(self, table: Mapping[str, Any], at: tuple[str, ...]) -> ModelSpec | None:
        """The model; each argument is tried alone first, so that the message has its line."""
        kind = table.get("kind", "lme" if "random" in table else "gls")
        if kind not in ("lme", "gls") or (kind == "lme") != ("random" in table):
            self.problem((*at, "kind"), "kind is 'lme' (with random) or 'gls' (without)")
            return None
        plain = {"fixed": "y ~ 1"} | ({"random": "~ 1 | g"} if kind == "lme" else {})
        before = len(self.problems)
        for key in ("fixed", "random", *ARGUMENTS):
            if key in table:
                self.try_spec({**plain, key: table[key]}, (*at, key))
        return self.try_spec(table, at) if len(self.problems) == before else None

    def try_spec(self, table: Mapping[str, Any], at: tuple[str, ...]) -> ModelSpec | None:
        rest = {key: table[key] for key in ARGUMENTS if key in table}
        try:
            if "random" in table:
                return lme_spec(table["fixed"], table["random"], **rest)
            return gls_spec(table["fixed"], **rest)
        except (SpecError, TypeError, ValueError, AttributeError) as error:
            self.problem(at, f"{at[-1]}: {error}" if not at[-1].isdigit() else str(error))
            return None


def _hint(word: str, known: Iterable[str]) -> str:
    return did_you_mean(word, known) or f" (known: {', '.join(known)})"


def _mapped(table: Mapping[str, Any], key: str) -> dict[str, Any]:
    value = table.get(key)
    return value if isinstance(value, dict) else {}


def _listed(table: Mapping[str, Any], key: str) -> list[Any]:
    value = table.get(key)
    return value if isinstance(value, list) else []
