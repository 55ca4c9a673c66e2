"""rbridge qualify: exit statuses, forms by ending, and -o looked at before the work."""

from __future__ import annotations

import errno
import json
from pathlib import Path
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner, Result

from rbridge.cli import main
from rbridge.qualify.figures import PublishedFigures

pytestmark = pytest.mark.slow


def run(*arguments: str, **env: str) -> Result:
    return CliRunner().invoke(main, ["qualify", *arguments], env=env)


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch, few: PublishedFigures) -> None:
    monkeypatch.setattr("rbridge.qualify.run.load_figures", lambda: few)


@pytest.fixture
def never(monkeypatch: pytest.MonkeyPatch) -> None:
    def work(**_: object) -> None:
        raise AssertionError("the work was begun")

    monkeypatch.setattr("rbridge.cli.qualify.qualify", work)


def test_all_agree(small: None) -> None:
    found = run("--no-r")
    assert found.exit_code == 0 and found.output.startswith("QUALIFIED without R")


def test_a_number_disagrees(monkeypatch: pytest.MonkeyPatch, doctored: PublishedFigures) -> None:
    monkeypatch.setattr("rbridge.qualify.run.load_figures", lambda: doctored)
    found = run("--no-r")
    assert found.exit_code == 1 and "expected -61.079" in found.output


def test_r_is_missing(small: None, tmp_path: Path) -> None:
    output = tmp_path / "report.json"
    found = run("-o", str(output), R_HOME="/nosuch")
    assert found.exit_code == 2 and found.output.startswith("NOT FULLY CHECKED")
    proofs = json.loads(output.read_text("utf-8"))["proofs"]
    assert any("R_HOME names /nosuch" in proof["why"] for proof in proofs)


@pytest.mark.parametrize("ending", [".txt", ".json", ".xml", ".html"])
def test_the_ending_names_the_form(small: None, tmp_path: Path, ending: str) -> None:
    output = tmp_path / f"report{ending}"
    assert run("--no-r", "-o", str(output)).exit_code == 0
    text = output.read_text("utf-8")
    if ending == ".xml":
        assert ElementTree.fromstring(text) is not None
    else:
        assert text.startswith({".txt": "QUALIFIED", ".json": "{", ".html": "<!doctype"}[ending])


def test_the_format_goes_before_the_ending(small: None, tmp_path: Path) -> None:
    output = tmp_path / "report.log"
    assert run("--no-r", "-o", str(output), "--format", "json").exit_code == 0
    assert json.loads(output.read_text("utf-8"))["exit"] == 0


@pytest.mark.parametrize(
    "name, said", [("no/report.html", "there is no folder"), ("report.pdf", "ending must be one")]
)
def test_what_cannot_be_written_is_refused_first(
    never: None, tmp_path: Path, name: str, said: str
) -> None:
    found = run("-o", str(tmp_path / name))
    assert found.exit_code == 2 and said in found.output


def test_a_folder_that_cannot_be_written_to(
    never: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def refused(*_: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr("rbridge.cli.output.os.open", refused)
    found = run("-o", str(tmp_path / "report.html"))
    assert found.exit_code == 2 and "cannot be written to" in found.output
