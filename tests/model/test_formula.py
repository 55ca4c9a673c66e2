"""Formulas are read as R reads them, and nothing but formulas gets through."""

import pytest

from rbridge.errors import FormulaError
from rbridge.model.formula import Call, Constant, Name, parse, parse_formula


def shape(node):
    """The tree as nested text, for comparison with R's own deparse of its tree."""
    if isinstance(node, Name):
        return node.name
    if isinstance(node, Constant):
        return node.value
    return (node.function, *map(shape, node.args))


@pytest.mark.parametrize(
    "text, tree",
    [  # the right-hand sides are what R's own parser gives for the same text
        ("-x^2", ("-", ("^", "x", 2.0))),
        ("x^2^3", ("^", "x", ("^", 2.0, 3.0))),
        ("-a:b", (":", ("-", "a"), "b")),
        ("a - b - c", ("-", ("-", "a", "b"), "c")),
        ("a + b * c", ("+", "a", ("*", "b", "c"))),
        ("a %in% b * c", ("*", ("%in%", "a", "b"), "c")),
        ("!a == b", ("!", ("==", "a", "b"))),
        ("y ~ x | g", ("~", "y", ("|", "x", "g"))),
        ("~ x - 1", ("~", ("-", "x", 1.0))),
        ("a/b/c", ("/", ("/", "a", "b"), "c")),
        ("x^-1", ("^", "x", ("-", 1.0))),
        ("(a + b):c", (":", ("(", ("+", "a", "b")), "c")),
        ("`my x` + .5e-3", ("+", "my x", 0.0005)),
    ],
)
def test_precedence_is_rs(text, tree):
    assert shape(parse(text)) == tree


def test_keyword_arguments():
    call = parse("poly(x, degree = 2, raw = TRUE)")
    assert isinstance(call, Call)
    assert call.keys == ("", "degree", "raw")
    assert [shape(arg) for arg in call.args] == ["x", 2.0, True]


def test_groups_and_columns():
    formula = parse_formula("log(y) ~ age * sex + I(x^2) | school/case")
    assert formula.columns == ["y", "age", "sex", "x"]
    assert formula.groups == ("school", "case")
    assert parse_formula("~ 1 | a*b").crossed


@pytest.mark.parametrize(
    "text, message",
    [
        ("y ~ system('ls')", "'system' is not among the functions"),
        ("y ~ I(eval(x))", "'eval' is not among"),
        ("y ~ get('x')", "'get' is not among"),
        ("y ~ source('f.R')", "'source' is not among"),
        ("y ~ base::system('ls')", "'::' cannot stand here"),
        ("y ~ base:::system('ls')", "':::' cannot stand here"),
        ("y ~ `system`('ls')", r"'\(' cannot stand here"),
        ("y ~ I((function() 1)())", "functions cannot be written"),
        ("y ~ (x <- 3)", r"'\)' expected, found '<-'"),
        ("y ~ x[1]", r"'\[' cannot stand here"),
        ("y ~ x$z", r"'\$' cannot stand here"),
        ("y ~ {x}", "'{' where a term was expected"),
        ("y ~ x; z", "';' cannot stand here"),
        ("y ~ I(a ~ b)", "'~' may stand only once"),
        ("y ~ offset(x)", "nlme ignores offset"),
        ("y ~ x +", "the end of the text where a term"),
        ("y + x", "needs a '~'"),
        ("y ~ x | g | h", "'|' may stand only once"),
        ("y ~ x | g + h", "groups are columns joined by '/'"),
        ("y ~ x €", "cannot read '€'"),
        ("y ~ " + "(" * 5000 + "x" + ")" * 5000, "too long|too deeply"),
    ],
)
def test_refused(text, message):
    with pytest.raises(FormulaError, match=message):
        parse_formula(text)


def test_the_caret_stands_under_the_place():
    with pytest.raises(FormulaError) as caught:
        parse_formula("y ~ x + system('ls')")
    text, caret = str(caught.value).splitlines()[-2:]
    assert text[caret.index("^") :].startswith("system")


def test_two_stars_are_a_power_as_in_r():
    assert shape(parse("x ** 2 * z")) == ("*", ("^", "x", 2.0), "z")


@pytest.mark.parametrize(
    "text, word", [("y ~ np.log(x)", "log"), ("y ~ C(x)", "factor"), ("y ~ sqroot(x)", "sqrt")]
)
def test_words_of_other_languages_are_answered_with_rs(text, word):
    with pytest.raises(FormulaError, match=f"R's word is {word} "):
        parse_formula(text)


def test_lme4s_way_to_write_random_effects_is_answered():
    with pytest.raises(FormulaError, match="random effects go into random="):
        parse_formula("y ~ x + (1 | g)")
