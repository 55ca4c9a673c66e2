"""Models and structures as values: from Python, from R text and from plain data alike."""

import json

import numpy as np
import pytest

import rbridge as rb
from rbridge.errors import SpecError, StructureError
from rbridge.model.formula import quoted
from rbridge.model.spec import ModelSpec, gls_spec, lme_spec
from rbridge.model.structure_text import STRUCTURES, as_structure, parse_structure

PASTED = [
    ("corAR1(form = ~ time | subject)", "corStruct", rb.corAR1(form="~ time | subject")),
    ("corAR1(0.3, ~ 1 | g, TRUE)", "corStruct", rb.corAR1(0.3, "~ 1 | g", True)),
    ("corARMA(c(-0.2, .1), p = 2)", "corStruct", rb.corARMA((-0.2, 0.1), p=2)),
    ("corExp(form = ~ x + y, nugget = TRUE)", "corStruct", rb.corExp(form="~ x + y", nugget=True)),
    ("pdDiag(~ time)", "pdMat", rb.pdDiag("~ time")),
    ("pdLogChol(c(1, 2, 0), ~ time)", "pdMat", rb.pdLogChol("~ time", (1.0, 2.0, 0.0))),
    (
        "pdBlocked(list(~ 1, pdIdent(~ m - 1)))",
        "pdMat",
        rb.pdBlocked([rb.pdSymm("~ 1"), rb.pdIdent("~ m - 1")]),
    ),
    ("varFixed(~ age)", "varFunc", rb.varFixed("~ age")),
    ("varIdent(c(M = 0.5), form = ~ 1 | s)", "varFunc", rb.varIdent("~ 1 | s", {"M": 0.5})),
    ("varPower()", "varFunc", rb.varPower()),
    (
        "varConstPower(form = ~ v, fixed = list(power = .5))",
        "varFunc",
        rb.varConstPower("~ v", fixed_power=0.5),
    ),
    (
        "varComb(varIdent(form = ~ 1 | s), varExp())",
        "varFunc",
        rb.varComb(rb.varIdent("~ 1 | s"), rb.varExp()),
    ),
    (
        "varComb(a = varIdent(form = ~ 1 | s), b = varExp())",
        "varFunc",
        rb.varComb(a=rb.varIdent("~ 1 | s"), b=rb.varExp()),
    ),
]


@pytest.mark.parametrize("text, kind, value", PASTED, ids=[text for text, _, _ in PASTED])
def test_pasted_text_is_the_value(text, kind, value):
    def plain(structure):
        return json.loads(json.dumps(structure.to_dict()).replace(" ", ""))

    assert plain(parse_structure(text, kind)) == plain(value)
    assert as_structure(json.loads(json.dumps(value.to_dict())), kind, "it") == value


def test_every_structure_of_nlme_has_a_name_here():
    for name, cls in STRUCTURES.items():
        assert getattr(rb, name) is cls


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: parse_structure("corAr1(form = ~ t)", "corStruct"), "did you mean corAR1"),
        (lambda: parse_structure("pdDiag(~ x)", "corStruct"), "there is no corStruct 'pdDiag'"),
        (lambda: parse_structure("system('ls')", "corStruct"), "there is no corStruct 'system'"),
        (lambda: parse_structure("corAR1(system('ls'))", "corStruct"), "only literal values"),
        (lambda: parse_structure("corAR1(form = ~ get('t') | g)", "corStruct"), "not among"),
        (lambda: parse_structure("corAR1(phi = 1)", "corStruct"), "no argument 'phi'"),
        (lambda: parse_structure("corAR1(1, ~ 1, FALSE, 4)", "corStruct"), "too many arguments"),
        (lambda: parse_structure("corAR1", "corStruct"), "write corAR1"),
        (lambda: rb.corARMA(p=0, q=0), "not both zero"),
        (lambda: rb.corAR1(fixed=True), "needs the value to hold"),
        (lambda: rb.corExp(metric="chebyshev"), "metric must be"),
        (lambda: rb.corAR1("a lot"), "give a number"),
        (lambda: rb.pdDiag("y ~ x"), "one-sided"),
        (lambda: rb.varIdent("~ 1"), "name the strata"),
        (lambda: rb.varComb(rb.varPower()), "two or more"),
        (lambda: rb.pdBlocked(["~ 1"]), "two or more"),
    ],
)
def test_structures_refuse(make, message):
    with pytest.raises(SpecError, match=message):
        make()


def test_the_form_of_a_correlation_may_stand_first():
    for cls in (rb.corAR1, rb.corCAR1, rb.corSymm, rb.corExp):
        assert cls("~ t | g") == cls(form="~ t | g")
    assert rb.corARMA("~ t | g", p=1) == rb.corARMA(form="~ t | g", p=1)
    with pytest.raises(SpecError, match="give a number"):
        rb.corAR1("~ t | g", form="~ s | g")


def test_structures_are_values():
    assert rb.corAR1(np.float64(0.5)) == rb.corAR1(0.5)
    assert rb.pdDiag("~ x") != rb.pdIdent("~ x")
    assert hash(rb.corSymm(np.array([0.1, 0.2, 0.3]))) == hash(rb.corSymm((0.1, 0.2, 0.3)))
    with pytest.raises(AttributeError):
        rb.corAR1().form = "~ x"


def test_random_in_all_its_forms():
    nested = lme_spec("y ~ x", "~ 1 | school/case").random
    assert nested == lme_spec("y ~ x", {"school": "~ 1", "case": rb.pdLogChol("~ 1")}).random
    assert nested == lme_spec("y ~ x", "list(school = ~ 1, case = ~ 1)").random
    twice = lme_spec("y ~ x", {"dog": ["~ day", "pdIdent(~ x - 1)"]}).random
    assert [group for group, _ in twice] == ["dog", "dog"]


def test_a_model_is_plain_data():
    spec = lme_spec(
        "y ~ x",
        {"g": rb.pdDiag("~ x")},
        rb.corAR1(form="~ t | g"),
        rb.varIdent("~ 1 | s"),
        method="ML",
        contrasts={"x": [[1.0], [-1.0]]},
        control={"maxIter": 100},
    )
    assert ModelSpec.from_dict(json.loads(json.dumps(spec.to_dict()))) == spec


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: lme_spec("y ~ x", "~ x"), "terms and groups"),
        (lambda: lme_spec("~ x", "~ 1 | g"), "needs a response"),
        (lambda: lme_spec("y ~ x | g", "~ 1 | g"), "groups belong into random"),
        (lambda: lme_spec("y ~ x", {}), "random must be"),
        (lambda: lme_spec("y ~ x", 3), "random must be"),
        (lambda: lme_spec("y ~ x", "~ 1 | g", method="reml"), "method must be 'REML' or 'ML'"),
        (lambda: lme_spec("y ~ x", "~ 1 | g", na_action="omit"), "na_action must be"),
        (lambda: lme_spec("y ~ x", "~ 1 | g", control={"maxiter": 9}), "did you mean 'maxIter'"),
        (lambda: lme_spec("y ~ x", "~ 1 | g", control={"opt": print}), "must be 'nlminb' or"),
        (lambda: gls_spec("y ~ x", correlation=rb.varPower()), "correlation must be a corStruct"),
        (lambda: gls_spec("y ~ x", weights=rb.corAR1()), "weights must be a varFunc"),
        (lambda: ModelSpec.from_dict({"kind": "lme", "fixd": "y ~ x"}), "has no 'fixd'"),
    ],
)
def test_models_refuse(make, message):
    with pytest.raises(SpecError, match=message):
        make()


def test_fitted_is_a_covariate_of_variance_functions_only():
    assert gls_spec("y ~ x", weights=rb.varPower("~ fitted(.)")).columns() == ["y", "x"]
    with pytest.raises(SpecError, match="not among"):
        gls_spec("y ~ fitted(.)")
    with pytest.raises(StructureError, match="not among"):
        rb.corAR1(form="~ fitted(.)")


@pytest.mark.parametrize("name", ["z", "odd name", "back`tick", "TRUE", "ünï", "a\\b"])
def test_a_column_for_a_response_is_as_its_name_read(name):
    spec = lme_spec("y ~ x * g + log(w)", "~ x | g", weights="varPower(form = ~ v)")
    quick, read = spec.with_column(name), spec.with_response(quoted(name))
    assert quick == read and quick.to_dict() == read.to_dict()
    assert quick.formula.lhs.name == read.formula.lhs.name == name
    assert quick.columns() == read.columns()
    assert quick.beside_response.columns == ("x", "g", "w", "v")
