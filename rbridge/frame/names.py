"""Neutral names: what R sees in place of the user's columns, groups and strata.

R sees every column under a neutral name of fixed width (``rbv0001x``), and every group under a
neutral label (``rbl0001000042x``) that sorts as the groups do. That ends all trouble with reserved
words, R's argument names, spaces, regular-expression characters, name prefixes and the alphabetical
order of labels; the user's names are put back into everything that returns.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from .columns import Column

TOKEN = re.compile(r"rb[vgl]\d+x")


@dataclass(frozen=True)
class Names:
    """The neutral names: ``value`` for columns used as values, ``group`` for groups and strata.

    ``labels`` holds the labels of each group column in order; label number i of column number c
    is ``rbl`` + cccc + iiiiiii + ``x`` in R.
    """

    value: Mapping[str, str]
    group: Mapping[str, str]
    labels: Mapping[str, tuple[str, ...]]

    @classmethod
    def of(cls, values: Iterable[str], groups: Mapping[str, Column]) -> Names:
        """Neutral names for every column of the model."""
        value = {name: f"rbv{i:04d}x" for i, name in enumerate(values)}
        group = {name: f"rbg{i:04d}x" for i, name in enumerate(groups)}
        return cls(value, group, {name: col.levels for name, col in groups.items()})

    def neutral_labels(self, name: str) -> tuple[str, ...]:
        """R's labels of a group column."""
        number = list(self.group).index(name)
        return tuple(f"rbl{number:04d}{i:07d}x" for i in range(len(self.labels[name])))

    def back(self, text: str) -> str:
        """The user's names and labels put back into a text from R."""
        return TOKEN.sub(self._user_word, text)

    def back_all(self, texts: tuple[str, ...]) -> tuple[str, ...]:
        """The same for many texts at once; no text of R holds a NUL."""
        return tuple(self.back("\0".join(texts)).split("\0")) if texts else ()

    def _user_word(self, match: re.Match[str]) -> str:
        token = match[0]
        if token.startswith("rbl"):
            group = _at(list(self.group), token[3:7])
            return _at(self.labels.get(group or "", ()), token[7:-1]) or token
        names = self.value if token.startswith("rbv") else self.group
        return next((name for name, neutral in names.items() if neutral == token), token)

    def neutral_strata(self, groups: Sequence[str]) -> dict[str, str]:
        """R's label of each stratum (of each combination, ``a*b``), by the user's label."""
        both = [zip(self.labels[name], self.neutral_labels(name)) for name in groups]
        strata: dict[str, str] = {}
        for combination in itertools.product(*both):
            users, neutral = zip(*combination)
            strata["*".join(users)] = "*".join(neutral)
        return strata


def _at(words: Sequence[str], number: str) -> str | None:
    """The word of that number; None where there is none."""
    place = int(number or -1)
    return words[place] if 0 <= place < len(words) else None
