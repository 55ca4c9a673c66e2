"""Reading a suite: what is read, what is refused and on which line."""

from __future__ import annotations

from pathlib import Path

import pytest

from rbridge.errors import SuiteError
from rbridge.suite.cases import load_suite
from rbridge.suite.toml_lines import key_lines

GOOD = """\
data = "rail"
[tolerance]
C = 1e-6

[[model]]
name = "plain"
fixed = "travel ~ 1"
random = "~ 1 | rail"

[[model]]
name = "own"
data = "orthodont"
fixed = "distance ~ age"
random = { subject = { class = "pdDiag", form = "~ age" } }
correlation = "corAR1(form = ~ 1 | subject)"
weights = { class = "varIdent", form = "~ 1 | sex" }
method = "ML"
contrasts = { sex = "contr.sum" }
control = { opt = "optim" }
na_action = "raise"
tolerance = { A = 0.5 }
expect = { A = "known: differ" }

[[model]]
name = "gls"
fixed = "travel ~ 1"
correlation = "corCompSymm(form = ~ 1 | rail)"
"""


def suite_file(folder: Path, text: str) -> Path:
    path = folder / "models.toml"
    path.write_text(text, encoding="utf-8")
    return path


def problems(folder: Path, text: str) -> list[str]:
    path = suite_file(folder, text)
    with pytest.raises(SuiteError) as caught:
        load_suite(path)
    return str(caught.value).replace(str(path), "models.toml").splitlines()


def test_every_argument_is_read(tmp_path: Path) -> None:
    plain, own, gls = load_suite(suite_file(tmp_path, GOOD))
    assert plain.data == "rail" and plain.tolerance == {"C": 1e-6}
    assert plain.where.endswith("models.toml:5") and plain.spec.kind == "lme"
    assert own.tolerance == {"C": 1e-6, "A": 0.5} and own.expect == {"A": "known: differ"}
    assert own.spec.method == "ML" and own.spec.na_action == "raise"
    assert own.spec.random[0][1].r_class == "pdDiag"
    assert own.spec.correlation.r_class == "corAR1" and own.spec.weights.r_class == "varIdent"
    assert gls.spec.kind == "gls"


MODEL = '[[model]]\nname = "m"\ndata = "rail"\nfixed = "travel ~ 1"\nrandom = "~ 1 | rail"\n'


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("model = 3\n", 1, "[[model]]"),
        ("", 1, "there is no [[model]]"),
        ("x = = 3\n", 1, "not valid TOML"),
        ("dat = 'rail'\n" + MODEL, 1, "did you mean 'data'?"),
        (MODEL + "metod = 'ML'\n", 6, "did you mean 'method'?"),
        (MODEL + "method = 'MLE'\n", 6, "method must be 'REML' or 'ML'"),
        (MODEL + "method = 3\n", 6, "method must be text"),
        (MODEL + "\ncorrelation = 'corAR2()'\n", 7, "did you mean corAR1"),
        (MODEL + "weights = 'system(\"ls\")'\n", 6, "there is no varFunc 'system'"),
        (MODEL + "[model.control]\n# note\nmaxiter = 3\n", 6, "did you mean 'maxIter'?"),
        (MODEL + "[model.tolerance]\nC = 1e-9\nD = 3\n", 8, "tolerance has no 'D'"),
        (MODEL + "tolerance.C = -1\n", 6, "must be a positive number"),
        (MODEL + "expect = { Z = 'x' }\n", 6, "expect has no 'Z'"),
        (MODEL + "kind = 'gls'\n", 6, "kind is 'lme' (with random) or 'gls' (without)"),
        (MODEL + MODEL, 7, "the name 'm' is taken already"),
        (MODEL.replace('"m"', '"a/b"'), 2, "a name is letters"),
        (MODEL.replace("rail", "rall"), 3, "Did you mean 'rail'?"),
        (MODEL.replace('"rail"', '"no.csv"'), 3, "there is no file"),
        (MODEL.replace("travel ~ 1", "travel ~ eval(x)"), 4, "'eval' is not among the functions"),
        (MODEL.replace("travel ~ 1", "~ 1"), 4, "needs a response"),
        (MODEL.replace("~ 1 | rail", "1 | rail"), 5, "'~'"),
        (MODEL.replace('"~ 1 | rail"', "{ rail = 3 }"), 5, "must be a pdMat"),
        (MODEL.replace('fixed = "travel ~ 1"\n', ""), 1, "the model has no 'fixed'"),
        (MODEL.replace('data = "rail"\n', ""), 1, "there is no data"),
    ],
)
def test_a_problem_names_its_line(tmp_path: Path, text: str, line: int, said: str) -> None:
    first = problems(tmp_path, text)[0]
    assert first.startswith(f"models.toml:{line}: ")
    assert said in "\n".join(problems(tmp_path, text))


def test_all_problems_come_at_once(tmp_path: Path) -> None:
    text = MODEL + "metod = 'ML'\n" + MODEL.replace('"m"', '"n"') + "fixde = 'y'\n"
    assert [p.split(":")[1] for p in problems(tmp_path, text)] == ["6", "12"]


def test_lines_of_every_kind_of_toml() -> None:
    text = 'a = """\n[[b]]\n"""\n[[b]]\nx = [1, # ]\n 2]\n[b.c]\n"d e".f = 1 # g = 2\n'
    text += "[[b]]\ny = {z = 1}\n"
    assert key_lines(text) == {
        ("a",): 1,
        ("b", "0"): 4,
        ("b", "0", "x"): 5,
        ("b", "0", "c"): 7,
        ("b", "0", "c", "d e", "f"): 8,
        ("b", "1"): 9,
        ("b", "1", "y"): 10,
    }
