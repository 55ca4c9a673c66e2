"""What is ready to copy into CI: its scripts, out of the YAML, run; its pins are pins."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import yaml

from tests.support.grades import graded
from tests.support.places import RECORDS, ROOT, SUITE
from tests.support.processes import program, surroundings

FILES = {
    "action": ROOT / "action.yml",
    "github": ROOT / "docs" / "ci" / "github-actions.yml",
    "own": ROOT / ".github" / "workflows" / "crosscheck.yml",
    "gitlab": ROOT / "docs" / "ci" / "gitlab-ci.yml",
    "hooks": ROOT / ".pre-commit-hooks.yaml",
}
MODEL = '[[model]]\nname = "rail-intercept"\ndata = "rail"\nfixed = "{}"\nrandom = "~ 1 | rail"\n'
REPORTS = {"report.txt", "report.md", "report.html", "report.json", "report.xml"}
NAMES = {"agrees": 0, "disagrees": 1, "another model": 2}


def read(name: str) -> Any:
    return yaml.safe_load(FILES[name].read_text("utf-8"))


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A repository with a suite and its record, and what a runner has: rbridge, docker, files."""
    (tmp_path / "refs").mkdir()
    shutil.copy(RECORDS / "rail-intercept.json", tmp_path / "refs")
    (tmp_path / "models.toml").write_text(MODEL.format("travel ~ 1"))
    (tmp_path / "bin").mkdir()
    program(tmp_path / "bin" / "rbridge", f'exec {shlex.quote(sys.executable)} -m rbridge "$@"')
    program(tmp_path / "bin" / "docker", DOCKER)
    for name in ("output", "summary"):
        (tmp_path / name).touch()
    return tmp_path


DOCKER = """
printf '%s ' "$@" >> docker.log; echo >> docker.log
[ "$1" = run ] || exit 0
while [ "$1" != crosscheck ]; do shift; done
exec rbridge "$@"
"""


def spoil(place: Path, how: str) -> None:
    """Make the check end as it says."""
    if how == "another model":
        (place / "models.toml").write_text(MODEL.format("log(travel) ~ 1"))
    if how == "disagrees":
        path = place / "refs" / "rail-intercept.json"
        content = json.loads(path.read_text())
        content["answers"]["varcomp"]["values"][0] *= 1.01
        path.write_text(json.dumps(content))


def shell(
    script: str, place: Path, command: list[str], **environment: str
) -> subprocess.CompletedProcess[str]:
    path = f"{place / 'bin'}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(
        [*command, script],
        cwd=place,
        env=surroundings(PATH=path, GITHUB_SHA="abc123", **environment),
        capture_output=True,
        text=True,
        timeout=120,
    )


# --- GitHub -----------------------------------------------------------------------------------

BASH = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c"]  # as GitHub runs `shell: bash`


def steps() -> Iterator[tuple[Mapping[str, Any], str]]:
    """The steps of the action that are scripts."""
    for step in read("action")["runs"]["steps"]:
        if "run" in step:
            assert step["shell"] == "bash"
            yield step, step["run"]


def inputs(**given: str) -> dict[str, str]:
    known = {name: str(one["default"]) for name, one in read("action")["inputs"].items()}
    assert set(given) <= set(known)
    return {**known, **given}


def act(place: Path, **given: str) -> subprocess.CompletedProcess[str]:
    """Run the action's scripts as a runner does, up to the first that fails."""
    values = inputs(**{name.replace("_", "-"): value for name, value in given.items()})
    for step, script in steps():
        if not condition(step.get("if", ""), values):
            continue
        told = {name: expanded(text, values) for name, text in step.get("env", {}).items()}
        files = {
            "GITHUB_OUTPUT": str(place / "output"),
            "GITHUB_STEP_SUMMARY": str(place / "summary"),
            "GITHUB_WORKSPACE": str(place),
            "GITHUB_ACTION_PATH": str(ROOT),
        }
        done = shell(script, place, BASH, **told, **files)
        if done.returncode:
            break
    return done


def condition(text: str, values: Mapping[str, str]) -> bool:
    """``inputs.a == '' && inputs.b == ''``."""
    found = [re.fullmatch(r"inputs\.([\w-]+) == ''", part) for part in text.split(" && ") if part]
    return all(values[match[1]] == "" for match in found if match is not None)


def expanded(text: str, values: Mapping[str, str]) -> str:
    return re.sub(r"\$\{\{ inputs\.([\w-]+) \}\}", lambda match: values[match[1]], text)


@pytest.mark.parametrize("how", graded(NAMES, {"disagrees"}))
def test_the_action_writes_everything_and_keeps_the_status(place: Path, how: str) -> None:
    spoil(place, how)
    done = act(place, rbridge="rbridge", against="refs", no_r="true")
    assert done.returncode == NAMES[how], done.stderr
    assert done.stdout.startswith("Cross-check: models.toml against refs")
    assert {path.name for path in (place / "rbridge-report").iterdir()} == REPORTS
    output = dict(line.split("=") for line in (place / "output").read_text().splitlines())
    assert output == {"status": str(NAMES[how]), "report": "rbridge-report"}
    report = json.loads((place / "rbridge-report" / "report.json").read_text("utf-8"))
    assert report["exit"] == NAMES[how] and report["about"]["commit"] == "abc123"
    assert "models.toml against refs" in (place / "summary").read_text("utf-8")
    assert ("::error file=models.toml,line=1," in done.stdout) == (how != "agrees")


def test_the_action_runs_the_image_it_builds(place: Path) -> None:
    done = act(place, against="refs", no_r="true", jobs="1", timeout="")
    assert done.returncode == 0, done.stderr
    build, run = (place / "docker.log").read_text().splitlines()
    assert build.startswith("build") and f"{ROOT}/docker/Dockerfile" in build
    assert "--network none" in run and "rbridge:action crosscheck --github --jobs 1" in run
    assert "--timeout" not in run and (place / "rbridge-report" / "report.html").exists()


def test_the_action_runs_an_image_that_is_there(place: Path) -> None:
    assert act(place, image="mine:1", against="refs", no_r="true").returncode == 0
    (run,) = (place / "docker.log").read_text().splitlines()
    assert "mine:1 crosscheck" in run and f"--volume {place}:/data" in run


@pytest.mark.r
@pytest.mark.slow
def test_the_action_fits_by_r(place: Path) -> None:
    assert act(place, rbridge="rbridge").returncode == 0
    suite = ElementTree.parse(place / "rbridge-report" / "report.xml").getroot()
    assert suite.get("tests") == "1" and suite.get("failures") == suite.get("errors") == "0"


def test_nothing_of_an_input_is_script() -> None:
    for _, script in steps():
        assert "${{" not in script


@pytest.mark.parametrize("name", ["github", "own"])
def test_a_workflow_uses_inputs_that_there_are(name: str) -> None:
    (job,) = read(name)["jobs"].values()
    _, ours = job["steps"]
    assert ours["uses"] in ("OWNER/rbridge@COMMIT", "./") and set(ours["with"]) <= set(inputs())


def test_our_own_workflow_names_what_there_is() -> None:
    (job,) = read("own")["jobs"].values()
    given = job["steps"][1]["with"]
    assert (ROOT / given["suite"]).samefile(SUITE) and (ROOT / given["against"]).samefile(RECORDS)


def test_actions_of_others_are_pinned() -> None:
    """By the whole SHA, with the version that it is."""
    files = [FILES["action"], FILES["github"], *(ROOT / ".github" / "workflows").glob("*.yml")]
    lines = [line for path in files for line in path.read_text("utf-8").splitlines()]
    used = [line.split("uses: ")[1] for line in lines if re.match(r" *(- )?uses: ", line)]
    others = [line for line in used if line not in ("./", "OWNER/rbridge@COMMIT")]
    assert len(others) >= 3
    for line in others:
        assert re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", line), line


# --- GitLab and pre-commit --------------------------------------------------------------------


@pytest.mark.parametrize("how", ["disagrees"])
def test_the_gitlab_job_writes_everything_and_keeps_the_status(place: Path, how: str) -> None:
    """GitLab joins the lines of a script and ends at the first that fails."""
    spoil(place, how)
    (job,) = read("gitlab").values()
    variables = {**job["variables"], "RBRIDGE_AGAINST": "refs", "RBRIDGE_JOBS": "1"}
    script = "\n".join(job["script"])
    done = shell(script, place, ["sh", "-e", "-c"], R_HOME="/nosuch", **variables)
    assert done.returncode == NAMES[how], done.stderr
    kept = job["artifacts"]
    assert {path.name for path in (place / kept["paths"][0]).iterdir()} == REPORTS
    assert ElementTree.parse(place / kept["reports"]["junit"]).getroot().get("tests") == "1"
    assert kept["when"] == "always"


@pytest.mark.parametrize("how", graded(["agrees", "another model"], {"another model"}))
def test_the_hook_holds_back_what_does_not_agree(place: Path, how: str) -> None:
    spoil(place, how)
    hook, _ = read("hooks")
    command = shlex.join([*shlex.split(hook["entry"]), *hook["args"]])
    assert shell(command, place, BASH).returncode == NAMES[how]
    changed = ("models.toml", "refs/rail-intercept.json", "data/growth.csv")
    assert all(re.search(hook["files"], name) for name in changed)


@pytest.mark.r
@pytest.mark.slow
def test_the_hook_before_a_push_asks_r(place: Path) -> None:
    _, hook = read("hooks")
    command = shlex.join([*shlex.split(hook["entry"]), *hook["args"]])
    assert shell(command, place, BASH).returncode == 0 and hook["stages"] == ["pre-push"]
