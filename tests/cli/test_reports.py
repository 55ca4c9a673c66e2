"""One run, several reports; annotations and the summary of a job. Without R."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner, Result

from rbridge.cli import main
from tests.support.places import RECORDS


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with one record, in which the job's summary is a file with something in it."""
    (tmp_path / "refs").mkdir()
    shutil.copy(RECORDS / "rail-intercept.json", tmp_path / "refs")
    (tmp_path / "summary").write_text("of the step before\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "summary"))
    monkeypatch.delenv("GITHUB_WORKSPACE", raising=False)
    return tmp_path


def doctor_the_record(place: Path) -> None:
    path = place / "refs" / "rail-intercept.json"
    content = json.loads(path.read_text())
    content["answers"]["varcomp"]["values"][0] *= 1.01
    path.write_text(json.dumps(content))


def check(*more: str) -> Result:
    return CliRunner().invoke(main, ["crosscheck", "--against", "refs", "--no-r", *more])


ALL = ["--output", "junit:r.xml", "-o", "html:r.html", "-o", "json:r.json", "-o", "markdown:r.md"]


def test_one_run_writes_every_form(place: Path) -> None:
    done = check(*ALL, "-o", "text:-")
    assert done.exit_code == 0 and done.output.startswith("Cross-check: refs")
    assert ElementTree.parse(place / "r.xml").getroot().tag == "testsuite"
    assert (place / "r.html").read_text("utf-8").startswith("<!doctype html>")
    assert json.loads((place / "r.json").read_text("utf-8"))["exit"] == 0
    assert (place / "r.md").read_text("utf-8").startswith("### ✓ refs: 1 model: 1 agrees")


def test_where_all_goes_to_files_the_verdict_is_said(place: Path) -> None:
    done = check(*ALL)
    assert done.output == "1 model: 1 agrees: see r.xml, r.html, r.json, r.md\n"


@pytest.mark.parametrize(
    "options, start",
    [
        (["-o", "r.out"], "Cross-check"),
        (["-o", "r.json"], "{"),
        (["-o", "r.json", "--format", "html"], "<!doctype"),
        (["-o", "text:r.json", "--format", "html"], "Cross-check"),
    ],
)
def test_who_decides_the_form(place: Path, options: list[str], start: str) -> None:
    assert check(*options).exit_code == 0
    text = next(p for p in place.glob("r.*")).read_text("utf-8")
    assert text.startswith(start)


@pytest.mark.parametrize(
    "options, said",
    [
        (["-o", "junit:"], "-o junit:: names no file"),
        (["-o", "html:none/r.html"], "-o none/r.html: there is no folder"),
        (["-o", "html:a.html", "-o", "junit:./a.html"], "a.html is named twice"),
        (["-o", "text:-", "-o", "json:-"], "- is named twice"),
        (["--timeout", "nan"], "no positive number of seconds"),
        (["--timeout", "0"], "no positive number of seconds"),
    ],
)
def test_what_cannot_be_is_refused_first(
    place: Path, options: list[str], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rbridge.cli.suite.run", None)
    done = check(*options)
    assert done.exit_code == 2 and said in done.output, done.output


def test_github_is_told_and_the_status_stays(place: Path) -> None:
    doctor_the_record(place)
    done = check("-o", "html:r.html", "--github")
    assert done.exit_code == 1
    told, *_ = [line for line in done.output.splitlines() if line.startswith("::")]
    assert told.startswith(
        "::error file=refs/rail-intercept.json,title=rail-intercept%3A estimates::"
    )
    summary = (place / "summary").read_text("utf-8")
    assert summary.startswith("of the step before\n### ✗ refs: 1 model: 1 disagrees")


def test_where_all_agree_github_has_the_summary_alone(place: Path) -> None:
    done = check("--github", "-o", "html:r.html")
    assert "::" not in done.output and "✓ refs" in (place / "summary").read_text("utf-8")
