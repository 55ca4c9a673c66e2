"""Suites without R: what is read, what is refused and on which line, what a report looks like."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from rbridge.cli.app import main
from rbridge.errors import SuiteError
from rbridge.check.findings import FAILURE, NOTE, OK, UNCHECKED, Finding
from rbridge.suite.cases import CODES, MODEL_KEYS, SUITE_KEYS, Case, load_suite
from rbridge.suite.starter import group_candidates, starter
from rbridge.suite.report import COMMENT_LIMIT, SuiteReport
from rbridge.suite.run import Outcome, judged, run
from rbridge.suite.toml_lines import key_lines
from rbridge.check.tolerances import TOLERANCES

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


def test_the_schema_knows_what_the_reader_knows() -> None:
    schema = json.loads(CliRunner().invoke(main, ["suite", "schema"]).output)
    model = schema["$defs"]["model"]["properties"]
    assert set(schema["properties"]) == set(SUITE_KEYS) and set(model) == set(MODEL_KEYS)

    def codes(name: str) -> set[str]:
        (pattern,) = schema["$defs"][name]["patternProperties"]
        return set(pattern.strip("^$()").replace("\\", "").split("|"))

    assert codes("tolerance") == set(TOLERANCES) and codes("expect") == set(CODES)


def test_the_guide_shows_the_tolerances() -> None:
    guide = (Path(__file__).parents[1] / "docs" / "ci.md").read_text(encoding="utf-8")
    rows = [line.strip("| ").split(" | ") for line in guide.splitlines() if line.startswith("| ")]
    shown = {row[0]: (row[1], row[2]) for row in rows if len(row) == 3}
    for name, tolerance in TOLERANCES.items():
        value, why = shown[name]
        assert float(value) == tolerance.value and why == tolerance.why


# --- judging ----------------------------------------------------------------------------------

C = Finding("C", FAILURE, 2e-8, "differ by 2e-8")


def levels(findings: tuple[Finding, ...]) -> list[tuple[str, str]]:
    return [(f.code, f.level) for f in findings]


def test_a_tolerance_of_the_suite_decides() -> None:
    assert levels(judged([C], {"C": 1e-7}, {})) == [("C", OK)]
    assert levels(judged([Finding("A", NOTE, 0.01, "x")], {"A": 0.001}, {})) == [("A", FAILURE)]


def test_a_known_finding_is_a_note_and_a_stale_one_a_failure() -> None:
    assert levels(judged([C], {}, {"C": "known: Differ"})) == [("C", NOTE)]
    assert levels(judged([C], {}, {"C": "else"})) == [("C", FAILURE), ("expect", FAILURE)]
    good = Finding("C", OK, 0.0, "agree")
    assert levels(judged([good], {}, {"C": "agree"})) == [("C", OK), ("expect", FAILURE)]


# --- running ----------------------------------------------------------------------------------


def case(name: str) -> Case:
    from rbridge.model.spec import lme_spec

    return Case(name, lme_spec("travel ~ 1", "~ 1 | rail"), "rail", Path("."), where=f"f:{name}")


def stand_in(case: Case) -> Outcome:
    """Work for the pool: some models raise, one kills its process."""
    if case.name == "raises":
        raise ZeroDivisionError("a bug")
    if case.name == "dies":
        os._exit(11)
    return Outcome(case.name, case.where, case.name, (Finding("C", OK, 0.0, "fine"),))


@pytest.mark.parametrize("jobs", [1, 2])
def test_one_bad_model_costs_that_model_only(jobs: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, sys.path)))
    names = ["a", "raises", "b", *(["dies"] if jobs > 1 else []), "c"]
    seen: list[str] = []
    outcomes = run([case(n) for n in names], stand_in, jobs, lambda o: seen.append(o.name))
    assert [o.name for o in outcomes] == names and sorted(seen) == sorted(names)
    assert {o.name for o in outcomes if o.code == 2} == {"raises", "dies"} & set(names)


# --- reporting --------------------------------------------------------------------------------


def report(n: int = 3) -> SuiteReport:
    bad = Outcome("bad", "f:1", "y ~ x", (C, Finding("A", NOTE, 0.1, "a <b> | c")))
    lost = Outcome("lost", "f:2", "lost", (Finding("fit", UNCHECKED, None, "no data"),))
    fine = Outcome("fine", "f:3", "y ~ x", (Finding("C", OK, 1e-13, "agree"),), None, {"R": "4"})
    return SuiteReport("models.toml", (bad, lost, *[fine] * (n - 2)))


def test_verdicts_and_formats() -> None:
    found = report()
    assert found.code == 1 and found.headline() == (
        "3 models: 1 agrees, 1 disagrees, 1 could not be checked"
    )
    assert SuiteReport("x", found.outcomes[1:]).code == 2
    assert SuiteReport("x", found.outcomes[2:]).code == 0
    assert [m["verdict"] for m in json.loads(found.to_json())["models"]][0] == "disagrees"
    suite = ElementTree.fromstring(found.to_junit())
    assert [suite.get(k) for k in ("tests", "failures", "errors")] == ["3", "1", "1"]
    assert [case.find(tag) is not None for case, tag in zip(suite, ("failure", "error"))] == [
        True
    ] * 2
    for text in (found.to_text(), found.to_html(), found.to_markdown()):
        assert "differ by 2e-8" in text and "no data" in text


def test_the_markdown_fits_a_comment() -> None:
    big = report(5000)
    assert len(big.to_markdown()) <= COMMENT_LIMIT + 500
    worse = SuiteReport("models.toml", big.outcomes[:1] * 3000)
    text = worse.to_markdown()
    assert len(text) <= COMMENT_LIMIT + 500 and "and more" in text


# --- starting ---------------------------------------------------------------------------------


def test_the_starter_is_a_suite(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "id": np.repeat(np.arange(10), 6),
            "the time": np.tile(np.arange(6.0), 10),
            "arm": np.tile(["a", "b", None], 20),
            "score": rng.normal(size=60),
        }
    )
    frame.to_csv(tmp_path / "my data.csv", index=False)
    assert group_candidates(frame) == ["id"]
    text = starter("my data.csv", tmp_path)
    (found,) = load_suite(suite_file(tmp_path, text))
    assert found.category == ("id",) and found.spec.random[0][0] == "id"
    assert found.spec.fixed == "score ~ `the time`" and "20 missing" in text


def test_init_elsewhere_still_finds_the_data(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "suites").mkdir()
    pd.DataFrame({"g": list("aabbccdd"), "y": range(8)}).to_csv("d.csv", index=False)
    result = CliRunner().invoke(main, ["suite", "init", "d.csv", "-o", "suites/d.toml"])
    assert result.exit_code == 0
    assert load_suite(tmp_path / "suites" / "d.toml")[0].data == os.path.join("..", "d.csv")


def test_init_never_overwrites(tmp_path: Path) -> None:
    path = suite_file(tmp_path, GOOD)
    result = CliRunner().invoke(main, ["suite", "init", "rail", "-o", str(path)])
    assert result.exit_code == 2 and "exists already" in result.output
    assert path.read_text() == GOOD


@pytest.mark.parametrize("arguments", [[], ["rail", "--suite", "x.toml"], ["rail"]])
def test_crosscheck_needs_one_thing_to_check(arguments: list[str]) -> None:
    result = CliRunner().invoke(main, ["crosscheck", *arguments])
    assert result.exit_code == 2 and "error" in result.output and "Traceback" not in result.output
