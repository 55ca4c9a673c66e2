"""Arguments with a closed choice: one of a few words, a share, and the word that was meant."""

from __future__ import annotations

import difflib
import functools
import inspect
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from numbers import Real
from typing import ParamSpec, TypeVar

from .errors import RBridgeError, SpecError

T = TypeVar("T")
P = ParamSpec("P")
R = TypeVar("R")

# who finds the optimum: nlme; nlme held at the one found here; the search here alone
ENGINES = ("nlme", "pinned", "native")


def one_of(
    value: object,
    allowed: Iterable[T],
    name: str,
    *,
    shown: Iterable[str] | None = None,
    quote: bool = False,
    error: type[RBridgeError] = SpecError,
) -> T:
    """The one of ``allowed`` that equals the value.

    Parameters
    ----------
    value : object
        What the user gave.
    allowed : iterable
    name : str
        Of the argument.
    shown : iterable of str, optional
        What the message calls the choices; by default themselves.
    quote : bool
        ``must be 'a', 'b' or 'c'`` in place of ``must be one of a, b, c``.
    error : class
        Of the exception.

    Raises
    ------
    SpecError, or ``error``
        ``name must be one of a, b, c, not 'x'``.
    """
    known: dict[object, T] = {choice: choice for choice in allowed}
    with suppress(KeyError, TypeError):  # what has no hash, an array say, is none of them
        return known[value]
    texts = known if shown is None else shown
    words = alternatives(texts) if quote else f"one of {', '.join(map(str, texts))}"
    raise error(f"{name} must be {words}, not {value!r}")


def alternatives(choices: Iterable[object]) -> str:
    """``'a', 'b' or 'c'``."""
    *most, last = map(repr, choices)
    return f"{', '.join(most)} or {last}" if most else last


def check_share(value: float, name: str = "level") -> None:
    """Refuse what does not lie strictly between 0 and 1."""
    if not isinstance(value, Real) or not 0 < value < 1:
        raise SpecError(f"{name} must lie between 0 and 1, not {value!r}")


def told_of_others(**words: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """A function that says where to put arguments of other packages that it has not.

    Parameters
    ----------
    **words : str
        What to do, by the name of the argument.

    Raises
    ------
    SpecError
        When the function is called with an argument that it does not have.
    """

    def told(function: Callable[P, R]) -> Callable[P, R]:
        known = list(inspect.signature(function).parameters)

        @functools.wraps(function)
        def checked(*args: P.args, **kwargs: P.kwargs) -> R:
            for name in kwargs:
                if name not in known:
                    advice = f"; {words[name]}" if name in words else did_you_mean(name, known)
                    what = getattr(function, "__name__", "this")
                    raise SpecError(f"{what} has no argument {name!r}{advice}")
            return function(*args, **kwargs)

        return checked

    return told


def check_one_each(names: Sequence[str], used: Iterable[str] | None = None) -> None:
    """Refuse a name that several coefficients have; of those ``used``, where not all are.

    Level ``bx`` of ``a`` and level ``x`` of ``ab`` both give ``abx``.
    """
    for name in dict.fromkeys(names if used is None else used):
        count = names.count(name)
        if count > 1:
            how_many = "two" if count == 2 else str(count)
            advice = "rename a column, or a level of a factor"
            raise SpecError(f"{name!r} names {how_many} coefficients: {advice}")


def closest(word: str, known: Iterable[str], cutoff: float = 0.6) -> str:
    """The known word most like this one; empty where none is alike (see :mod:`difflib`)."""
    words = list(known)
    same = next((each for each in words if each.casefold() == word.casefold()), "")
    return same or next(iter(difflib.get_close_matches(word, words, 1, cutoff)), "")


def did_you_mean(word: str, known: Iterable[str], *, quote: bool = True) -> str:
    """What to append to "there is no 'wrod'": ``; did you mean 'word'?``, or nothing."""
    close = closest(word, known)
    return f"; did you mean {repr(close) if quote else close}?" if close else ""
