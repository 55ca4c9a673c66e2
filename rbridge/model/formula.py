"""R formulas and constructor calls as data: read here, checked here, never evaluated as text.

R receives the tree that this module builds, as nested lists, and makes the call from it; so a
formula can name nothing but columns, numbers, strings and the functions of the lists below.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Union

from ..errors import FormulaError
from ..options import closest


@dataclass(frozen=True)
class Name:
    """A column (or one of R's constants)."""

    name: str
    pos: int = 0


@dataclass(frozen=True)
class Constant:
    """A number, a string, TRUE, FALSE or NULL."""

    value: float | str | bool | None
    pos: int = 0


@dataclass(frozen=True)
class Call:
    """A function or operator applied to arguments; ``keys`` holds "" for a positional one."""

    function: str
    args: tuple[Node, ...]
    keys: tuple[str, ...]
    pos: int = 0


Node = Union[Name, Constant, Call]

CONSTANTS: dict[str, bool | float | None] = {
    "TRUE": True,
    "FALSE": False,
    "NULL": None,
    "Inf": float("inf"),
}
OPERATORS = frozenset("+ - * / ^ : %in% ( ~ | == != < > <= >= & !".split())
FUNCTIONS = frozenset(
    "I log log2 log10 log1p exp expm1 sqrt abs sin cos tan asin acos atan sinh cosh tanh "
    "floor ceiling round sign poly ns bs factor ordered relevel cut scale c pmin pmax ifelse "
    "as.numeric as.integer as.factor interaction contr.treatment is.na".split()
)

# of these a row's value depends on that row alone, and is a number
BY_ROW = frozenset(
    "I log log2 log10 log1p exp expm1 sqrt abs sin cos tan asin acos atan sinh cosh tanh "
    "floor ceiling round sign pmin pmax".split()
)
_ARITHMETIC = frozenset("+-*/^(")

DEPTH = 60  # calls within calls; every walk over a formula is recursive

PLAIN_NAME = re.compile(r"(?:[^\W\d]|\.(?!\d))[\w.]*")  # needs no backquotes
_TOKEN = re.compile(
    r"""\s*(?:
      (?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?L?)
    | (?P<string>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')
    | (?P<quoted>`(?:[^`\\]|\\.)*`)
    | (?P<name>NAME)
    | (?P<op>%[^%]*%|\*\*|<<-|<-|->|:::|::|==|!=|<=|>=|&&|\|\||\|>|[-+*/^:~|&!<>=(),\[\]{}$@;?\\])
    )""".replace(
        "NAME", PLAIN_NAME.pattern
    ),
    re.VERBOSE,
)

# ?Quotes in R
_ESCAPE = re.compile(
    r"\\(?:x(?P<x>[0-9a-fA-F]{1,2})|u\{(?P<ub>[0-9a-fA-F]{1,4})\}|u(?P<u>[0-9a-fA-F]{1,4})"
    r"|U\{(?P<Ub>[0-9a-fA-F]{1,8})\}|U(?P<U>[0-9a-fA-F]{1,8})|(?P<o>[0-7]{1,3})|(?P<c>.))",
    re.DOTALL,
)
_LETTERS = dict(zip("ntrabfv\\'\"` \n", "\n\t\r\a\b\f\v\\'\"` \n"))


def _escaped(match: re.Match[str]) -> str:
    """The character that an escape stands for; ValueError where R refuses it."""
    kind = str(match.lastgroup)
    if kind == "c":
        if match["c"] not in _LETTERS:
            raise ValueError(
                f"{match[0]!r} is no escape in a string of R: write '\\\\' for a backslash"
            )
        return _LETTERS[match["c"]]
    code = int(match[kind], 8 if kind == "o" else 16)
    if not 0 < code <= 0x10FFFF or 0xD800 <= code < 0xE000 or kind in "xo" and code > 127:
        raise ValueError(f"{match[0]!r} stands for no character: write it as \\u and its number")
    return chr(code)


# R's binary operators, loosest first: (left binding power, right binding power).
_BINARY = {
    "~": (10, 11),
    "|": (20, 21),
    "&": (30, 31),
    **{op: (50, 51) for op in ("==", "!=", "<", ">", "<=", ">=")},
    "+": (60, 61),
    "-": (60, 61),
    "*": (70, 71),
    "/": (70, 71),
    "%in%": (80, 81),
    ":": (90, 91),
    "^": (111, 100),
}
_UNARY = {"~": 10, "!": 40, "-": 100, "+": 100}


@dataclass(frozen=True)
class _Token:
    kind: str
    text: str
    pos: int


def _tokens(text: str) -> Iterator[_Token]:
    pos = 0
    while text[pos:].strip():
        match = _TOKEN.match(text, pos)
        if match is None or match.lastgroup is None:
            at = pos + len(text[pos:]) - len(text[pos:].lstrip())
            raise FormulaError(f"cannot read {text[at]!r} in a formula", text, at)
        word = match[match.lastgroup]
        yield _Token(match.lastgroup, "^" if word == "**" else word, match.start(match.lastgroup))
        pos = match.end()
    yield _Token("end", "", len(text))


class _Parser:
    """A precedence-climbing reader for the part of R's grammar that formulas need."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = list(_tokens(text))
        self.at = 0

    def fail(self, message: str, token: _Token) -> FormulaError:
        return FormulaError(message, self.text, token.pos)

    def next(self) -> _Token:
        token = self.tokens[self.at]
        self.at += token.kind != "end"
        return token

    def take(self, text: str) -> bool:
        token = self.tokens[self.at]
        found = token.kind == "op" and token.text == text
        self.at += found
        return found

    def parse(self) -> Node:
        node = self.expression(0)
        rest = self.tokens[self.at]
        if rest.kind != "end":
            hint = "; a column's name with spaces goes into `backticks`" * (rest.kind == "name")
            raise self.fail(f"{rest.text!r} cannot stand here{hint}", rest)
        return node

    def expression(self, binding: int) -> Node:
        left = self.operand()
        while True:
            token = self.tokens[self.at]
            power = _BINARY.get(token.text) if token.kind == "op" else None
            if power is None or power[0] < binding:
                return left
            self.next()
            right = self.expression(power[1])
            left = _joined(token, left, right)

    def operand(self) -> Node:
        token = self.next()
        if token.kind == "number":
            return Constant(float(token.text.rstrip("L")), token.pos)
        if token.kind == "string":
            return Constant(self.unescaped(token), token.pos)
        if token.kind == "quoted":
            return Name(self.unescaped(token), token.pos)
        if token.kind == "name":
            return self.name_or_call(token)
        if token.kind == "op" and token.text == "(":
            inner = self.expression(0)
            self.expect(")")
            return Call("(", (inner,), ("",), token.pos)
        if token.kind == "op" and token.text in _UNARY:
            return Call(token.text, (self.expression(_UNARY[token.text]),), ("",), token.pos)
        what = repr(token.text) if token.text else "the end of the text"
        raise self.fail(f"{what} where a term was expected", token)

    def unescaped(self, token: _Token) -> str:
        """The text between quotes, R's escapes read as R reads them."""
        try:
            return _ESCAPE.sub(_escaped, token.text[1:-1])
        except ValueError as error:
            raise self.fail(str(error), token) from None

    def name_or_call(self, token: _Token) -> Node:
        if token.text == "function":
            raise self.fail("functions cannot be written inside a formula", token)
        if self.take("("):
            args, keys = self.arguments()
            return Call(token.text, args, keys, token.pos)
        if token.text in CONSTANTS:
            return Constant(CONSTANTS[token.text], token.pos)
        return Name(token.text, token.pos)

    def arguments(self) -> tuple[tuple[Node, ...], tuple[str, ...]]:
        args: list[Node] = []
        keys: list[str] = []
        while not self.take(")"):
            if args:
                self.expect(",")
            token, *rest = self.tokens[self.at : self.at + 2]
            keyed = token.kind == "name" and bool(rest) and rest[0].text == "="
            keys.append(token.text if keyed else "")
            self.at += 2 * keyed
            args.append(self.expression(0))
        return tuple(args), tuple(keys)

    def expect(self, text: str) -> None:
        if not self.take(text):
            token = self.tokens[self.at]
            found = repr(token.text) if token.text else "the end of the text"
            raise self.fail(f"{text!r} expected, found {found}", token)


def _joined(token: _Token, left: Node, right: Node) -> Call:
    """The operator applied; a sum of many terms is one call, so that it is not deep."""
    args: tuple[Node, ...] = (left, right)
    if token.text == "+" and isinstance(left, Call) and left.function == "+" and len(left.args) > 1:
        args = (*left.args, right)
    return Call(token.text, args, ("",) * len(args), token.pos)


def _check_depth(node: Node, text: str) -> None:
    level: list[Node] = [node]
    for _ in range(DEPTH):
        level = [arg for part in level if isinstance(part, Call) for arg in part.args]
        if not level:
            return
    raise FormulaError(f"the formula is nested too deeply (limit {DEPTH})", text, level[0].pos)


def check_no_frame(formula: object) -> None:
    """Refuse the data in the formula's place, before it is asked for a hash."""
    if hasattr(formula, "columns"):
        raise FormulaError("the formula stands first, then the data: ('y ~ x', data, …)")


@lru_cache(maxsize=1024)
def parse(text: str) -> Node:
    """Read one R expression.

    Raises
    ------
    FormulaError
        With the text and a caret under the place.
    """
    if not isinstance(text, str):
        raise FormulaError(f"a formula must be text, not {type(text).__name__}: {text!r}")
    if len(text) > 10_000:
        raise FormulaError(f"a formula of {len(text)} characters is too long (limit 10000)")
    try:
        node = _Parser(text).parse()
    except RecursionError:
        raise FormulaError(f"the formula is nested too deeply (limit {DEPTH})") from None
    _check_depth(node, text)
    return node


def quoted(name: str) -> str:
    """A column's name as a formula takes it, in backquotes where it is no plain word."""
    if PLAIN_NAME.fullmatch(name) and name not in {*CONSTANTS, "function"}:
        return name
    escaped = name.replace("\\", "\\\\").replace("`", "\\`")
    return f"`{escaped}`"


def walk(node: Node) -> Iterator[Node]:
    """The node and everything below it, in reading order."""
    yield node
    if isinstance(node, Call):
        for arg in node.args:
            yield from walk(arg)


def by_row(node: Node, *, term: bool = True) -> bool:
    """Whether each row of what R makes of the expression depends on that row of the data alone.

    Factors, which stand by themselves where ``term``, depend on their levels too.
    """
    if not isinstance(node, Call):
        return True
    if node.function not in BY_ROW | _ARITHMETIC and not (term and node.function == ":"):
        return False
    inner = term and node.function not in BY_ROW
    return all(by_row(arg, term=inner) for arg in node.args)


def check_functions(node: Node, text: str, extra: frozenset[str] = frozenset()) -> None:
    """Refuse every call that is not an operator or function of a formula."""
    allowed = OPERATORS | FUNCTIONS | extra
    for part in walk(node):
        if not isinstance(part, Call):
            continue
        if part.function == "offset":
            raise FormulaError(
                "nlme ignores offset(): subtract it from the response", text, part.pos
            )
        if part.function not in allowed:
            names = ", ".join(sorted(FUNCTIONS))
            message = (
                f"{part.function!r} is not among the functions a formula may call"
                f"{_instead(part.function)} ({names})"
            )
            raise FormulaError(message, text, part.pos)
        if part.function == "~" and part is not node:
            raise FormulaError("'~' may stand only once in a formula", text, part.pos)
    _check_vectors(node, text, False)


# Their arguments beside the data may be vectors; everywhere else one value belongs to each row.
_TAKE_VECTORS = frozenset("poly ns bs cut factor ordered relevel scale contr.treatment".split())


def _check_vectors(node: Node, text: str, allowed: bool) -> None:
    """Refuse ``I(x * c(1, 2))``: R repeats the vector over the rows, however they are sorted."""
    if not isinstance(node, Call):
        return
    sequence = node.function == ":" and not variables(node)
    if not allowed and (sequence or node.function == "c" and len(node.args) > 1):
        message = "a vector cannot stand here: a formula needs one value for every row"
        raise FormulaError(message, text, node.pos)
    for i, (key, arg) in enumerate(zip(node.keys, node.args)):
        beside = key != "x" if key else i > 0
        takes = node.function in _TAKE_VECTORS or node.function == "%in%"
        _check_vectors(arg, text, allowed or takes and beside)


_PYTHON = {"C": "factor", "np.power": "I(x^2)", "center": "scale", "standardize": "scale"}


def _instead(function: str) -> str:
    """R's word for what was written as in patsy or numpy, or misspelt."""
    last = function.split(".")[-1]
    word = _PYTHON.get(function) or closest(last, FUNCTIONS, 0.8)
    return f"; R's word is {word}" if word else ""


def variables(node: Node | None) -> list[str]:
    """Names of the columns that the expression uses, each once, in reading order."""
    names = [part.name for part in walk(node) if isinstance(part, Name)] if node else []
    return list(dict.fromkeys(names))


@dataclass(frozen=True)
class Formula:
    """A checked formula ``lhs ~ rhs | groups``.

    ``groups`` lists the grouping expression's columns, outermost first, with the operator that
    joins them: ``school/case`` is nested, ``a*b`` is crossed.
    """

    text: str
    lhs: Node | None
    rhs: Node
    groups: tuple[str, ...] = ()
    crossed: bool = False

    @property
    def columns(self) -> list[str]:
        """Columns of the left and right sides (not of the groups)."""
        return list(dict.fromkeys(variables(self.lhs) + variables(self.rhs)))


@lru_cache(maxsize=1024)
def parse_formula(text: str, extra: frozenset[str] = frozenset()) -> Formula:
    """Read and check a formula; ``extra`` names functions allowed besides the usual ones.

    Raises
    ------
    FormulaError
        Where it cannot be read, or calls something outside the allowed list.
    """
    node = parse(text)
    if not (isinstance(node, Call) and node.function == "~"):
        raise FormulaError("a formula needs a '~', as in 'y ~ x'", str(text), len(str(text)))
    check_functions(node, text, extra)
    lhs = node.args[0] if len(node.args) == 2 else None
    rhs = node.args[-1]
    groups: tuple[str, ...] = ()
    crossed = False
    if isinstance(rhs, Call) and rhs.function == "|":
        rhs, grouping = rhs.args
        groups, crossed = _grouping(grouping, text)
    for part in [*walk(rhs), *(walk(lhs) if lhs else [])]:
        if isinstance(part, Call) and part.function == "|":
            raise FormulaError(
                "'|' may stand only once, before the groups; random effects go into "
                "random='~ 1 | group'",
                text,
                part.pos,
            )
    return Formula(text, lhs, rhs, groups, crossed)


def _grouping(node: Node, text: str) -> tuple[tuple[str, ...], bool]:
    """Columns of a grouping expression: names joined by '/' (nested) or '*' (crossed)."""
    if isinstance(node, Name):
        return (node.name,), False
    if isinstance(node, Call) and node.function in ("/", "*") and len(node.args) == 2:
        left, left_crossed = _grouping(node.args[0], text)
        right, _ = _grouping(node.args[1], text)
        crossed = node.function == "*"
        if len(left) == 1 or left_crossed == crossed:
            return left + right, crossed
    position = getattr(node, "pos", None)
    raise FormulaError(
        "groups are columns joined by '/', as in 'school/case'; crossed ones need pdBlocked",
        text,
        position,
    )
