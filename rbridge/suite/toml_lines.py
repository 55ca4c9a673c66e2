"""On which line a TOML file defines a key: what tomllib does not tell."""

from __future__ import annotations

import re

Path = tuple[str, ...]

_TABLE = re.compile(r"\s*(\[\[?)\s*(.+?)\s*\]\]?\s*(?:#.*)?$")
_PART = re.compile(r'\s*(?:"((?:[^"\\]|\\.)*)"|\'([^\']*)\'|([A-Za-z0-9_-]+))\s*(\.|=|$)')
_SKIP = re.compile(  # what may hide a bracket: comments and strings, the long ones first
    r'"""(?:[^\\]|\\.)*?"""|\'\'\'.*?\'\'\'|"(?:[^"\\\n]|\\.)*"|\'[^\'\n]*\'|#[^\n]*', re.DOTALL
)
_LOOSE = re.compile(  # the same, closed or not: of a text that may be no TOML
    r'"""(?:[^\\]|\\.)*?(?:"{3,5}|\Z)|\'\'\'.*?(?:\'{3,5}|\Z)'
    r'|"(?:[^"\\\n]|\\.)*"?|\'[^\'\n]*\'?|#[^\n]*',
    re.DOTALL,
)
MOST_PARTS = 64  # of a dotted key; tomllib takes time and memory with their square
_DEEP = re.compile(r"(?<![\w-])(?:[\w-]+[ \t]*\.[ \t]*){%d}" % MOST_PARTS)


def deep_key(text: str) -> int:
    """Line (from 1) of the first key of more than 64 parts, ``a.a.a…``; 0 where there is none."""
    plain = _LOOSE.sub(lambda match: "_" + "\n" * match[0].count("\n"), text)
    found = _DEEP.search(plain)
    return plain.count("\n", 0, found.start()) + 1 if found else 0


def key_lines(text: str) -> dict[Path, int]:
    """Line (from 1) of every table and key of a valid TOML text.

    Returns
    -------
    dict
        Keys are paths such as ``("model", "2", "random")``: the third ``[[model]]``. Inside an
        inline table the line is that of the key that holds it.
    """
    found: dict[Path, int] = {}
    counts: dict[Path, int] = {}
    table: Path = ()
    for number, line in _statements(text):
        header = _TABLE.match(line)
        if header and "=" not in header[2].split('"')[0]:
            table = _numbered(_parts(header[2]), counts, header[1] == "[[")
            found.setdefault(table, number)
        elif path := _parts(line):
            found.setdefault((*table, *path), number)
    return found


def _statements(text: str) -> list[tuple[int, str]]:
    """First lines of the statements: lines inside a long string or an array belong to the last."""
    plain = _SKIP.sub(_blank, text)
    lines, depth, statements, inside = text.split("\n"), 0, [], False
    for number, line in enumerate(plain.split("\n"), 1):
        if not inside and depth == 0 and line.strip():
            statements.append((number, lines[number - 1]))
        header = depth == 0 and line.lstrip().startswith("[")
        depth += (
            0 if header else line.count("[") + line.count("{") - line.count("]") - line.count("}")
        )
        inside = line.endswith("\0")
    return statements


def _blank(match: re.Match[str]) -> str:
    """The text without its content; a line break inside a string is marked, so that it counts."""
    return "_" + "\0\n" * match[0].count("\n") if match[0][0] != "#" else ""


def _parts(text: str) -> Path:
    """The dotted key at the start of a line."""
    parts: list[str] = []
    position = 0
    while match := _PART.match(text, position):
        parts.append(next(group for group in match.groups()[:3] if group is not None))
        position = match.end()
        if match[4] != ".":
            return tuple(parts)
    return ()


def _numbered(path: Path, counts: dict[Path, int], appends: bool) -> Path:
    """The path with the number of the array element after each array of tables in it."""
    numbered: Path = ()
    for i, part in enumerate(path):
        numbered = (*numbered, part)
        last = i == len(path) - 1
        if last and appends:
            counts[numbered] = counts.get(numbered, -1) + 1
        if numbered in counts:
            numbered = (*numbered, str(counts[numbered]))
    return numbered
