"""The scripts that the image is made with, where they can be tried without a builder."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

import rbridge
from tests.support.places import ROOT
from tests.support.processes import program

DOCKER = ROOT / "docker"
SOURCES = """Types: deb
# http://archive.example/archive/debian/20260101T000000Z
URIs: http://mirror.example/debian
Suites: trixie trixie-updates

Types: deb
# http://archive.example/archive/debian-security/20260101T000000Z
URIs: http://mirror.example/debian-security
Suites: trixie-security
"""


def script(name: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = ["sh", str(DOCKER / name), *arguments]
    env = {**os.environ, **environment}
    return subprocess.run(command, env=env, capture_output=True, text=True, check=False)


def sources(tmp_path: Path, day: str, text: str = SOURCES) -> tuple[int, list[str]]:
    file = tmp_path / "debian.sources"
    file.write_text(text)
    done = script("snapshot.sh", day, str(file))
    return done.returncode, re.findall(r"^URIs: (.*)$", file.read_text(), re.M)


@pytest.mark.parametrize(
    "day, archive",
    [
        ("20261101T000000Z", "http://archive.example/archive"),
        ("https://our.example/old/debian/20261101T000000Z", "https://our.example/old"),
    ],
)
def test_a_snapshot_is_every_source_of_one_day(tmp_path, day, archive):
    status, uris = sources(tmp_path, day)
    assert status == 0
    assert uris == [f"{archive}/{name}/20261101T000000Z" for name in ("debian", "debian-security")]
    text = (tmp_path / "debian.sources").read_text()
    assert text.count("Check-Valid-Until: no") == text.count("Types: deb") == 2


def test_a_snapshot_needs_an_archive_and_none_changes_nothing(tmp_path):
    without = re.sub("#.*\n", "", SOURCES)
    assert sources(tmp_path, "20261101T000000Z", without)[0] == 2
    assert sources(tmp_path, "https://our.example/somewhere")[0] == 2
    assert sources(tmp_path, "")[0] == 0
    assert (tmp_path / "debian.sources").read_text() == SOURCES


@pytest.mark.parametrize("words", [["python", "a.py"], ["fit", "x.csv"], ["--help"], []])
def test_programs_run_themselves_and_all_else_is_rbridges(tmp_path, words):
    for name in ("rbridge", "python"):
        program(tmp_path / name, f'echo {name} "$@"')
    done = script("entrypoint.sh", *words, PATH=f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    wanted = words if words[:1] == ["python"] else ["rbridge", *words]
    assert done.stdout.split() == wanted


@pytest.mark.skipif(not (ROOT / "rbridge").exists(), reason="the pins stand in the sources")
def test_extras_are_groups_of_packages():
    def packages(*groups: str) -> set[str]:
        return set(script("packages.sh", *groups, PINS="trixie").stdout.split())

    assert {"python3-joblib", "python3-matplotlib"} == packages("plot", "parallel")
    assert {"r-base-core=4.5.0-*", "python3"} < packages("runtime")


def test_workflows_name_actions_by_their_hash():
    for file in sorted((ROOT / ".github").rglob("*.yml")):
        used = re.findall(r"uses: ([^\s#]+)", file.read_text("utf-8"))
        others = [each for each in used if not each.startswith("./")]
        assert [each for each in others if not re.search(r"@[0-9a-f]{40}$", each)] == [], file


@pytest.fixture(scope="module")
def services() -> dict[str, dict[str, object]]:
    """The services of the compose file, as YAML has them."""
    found: dict[str, dict[str, object]] = yaml.safe_load(
        (DOCKER / "compose.yaml").read_text("utf-8")
    )["services"]
    return found


def test_compose_gives_no_service_more_than_it_needs(services):
    assert set(services) == {"rbridge", "batch"}
    for service in services.values():
        assert service["network_mode"] == "none" and service["read_only"] is True
        assert service["cap_drop"] == ["ALL"] and "privileged" not in service
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert {"mem_limit", "cpus", "pids_limit"} <= set(service)


@pytest.mark.parametrize(
    "suites, status", [("a0 b0", 0), ("a0 b2 c0", 2), ("a1 b2", 1), ("a2 b1", 1)]
)
def test_a_folder_of_suites_ends_as_its_worst(tmp_path, services, suites, status):
    program(tmp_path / "rbridge", 'echo "<$3>" > "${5#junit:}"; exit "$(echo "$3" | tr -dc 0-9)"')
    for name in suites.split():
        (tmp_path / f"{name}.toml").touch()
    batch = services["batch"]
    words = [word.replace("$$", "$") for word in [*batch["entrypoint"], *batch["command"]]]
    env = {"PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}"}
    assert subprocess.run(words, cwd=tmp_path, env=env, check=False).returncode == status
    written = {path.name: path.read_text() for path in tmp_path.glob("*.xml")}
    assert written == {f"{name}.junit.xml": f"<{name}.toml>\n" for name in suites.split()}


def published(tmp_path: Path, job: str, name: str, **environment: str) -> list[str]:
    """What a script of the publish workflow asks docker and cosign for, each word of a command."""
    steps = yaml.safe_load((ROOT / ".github/workflows/publish.yml").read_text("utf-8"))
    (run,) = [step["run"] for step in steps["jobs"][job]["steps"] if step.get("name") == name]
    asked = tmp_path / "asked"
    for tool in ("docker", "cosign"):
        answer = 'case "$*" in *inspect*) echo \'"sha256:1f"\' ;; esac'
        program(tmp_path / tool, f'echo "{tool} $*" >> "{asked}"; {answer}')
    program(tmp_path / "git", "echo 1700000000")
    env = {
        **{"PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}", "SUITE": "trixie"},
        **{"IMAGE": "registry.example/owner/rbridge", "GITHUB_OUTPUT": str(tmp_path / "output")},
        **environment,
    }
    shell = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", run]  # as the runner does
    clone = tmp_path / "clone"
    clone.mkdir(exist_ok=True)
    for folder in ("docker", "rbridge"):
        if not (clone / folder).exists():
            (clone / folder).symlink_to(ROOT / folder)
    subprocess.run(shell, cwd=clone, env=env, check=True)
    return asked.read_text().splitlines()


needs_sources = pytest.mark.skipif(
    not (ROOT / "rbridge").exists(), reason="the version and the pins stand in the sources"
)


@needs_sources
def test_the_workflow_names_what_it_builds(tmp_path):
    name = "names and moments"
    tag = {"GITHUB_REF_TYPE": "tag", "GITHUB_REF_NAME": f"v{rbridge.__version__}"}
    published(tmp_path, "build", name, **tag)
    assert dict(line.split("=", 1) for line in (tmp_path / "output").read_text().splitlines()) == {
        "registry": "registry.example",
        "version": rbridge.__version__,
        "epoch": "1700000000",
        "created": "2023-11-14T22:13:20Z",
        "digest": "sha256:1f",
    }
    with pytest.raises(subprocess.CalledProcessError):  # a tag of another version
        published(tmp_path, "build", name, GITHUB_REF_TYPE="tag", GITHUB_REF_NAME="v0.0.1")


@needs_sources
def test_the_workflow_signs_one_name_for_both_architectures(tmp_path):
    name = "one name for both architectures, by version and by R's version"
    asked = published(tmp_path, "sign", name)
    image = f"registry.example/owner/rbridge:{rbridge.__version__}"
    made = asked[0].split()
    assert made[:4] == ["docker", "buildx", "imagetools", "create"]
    assert made[4:10:2] == ["--tag"] * 3 and made[10:] == [f"{image}-amd64", f"{image}-arm64"]
    latest = image.replace(rbridge.__version__, "latest")
    assert made[5:10:2] == [image, f"{image}-r4.5.0", latest]
    signed = [line for line in asked if line.startswith("cosign")]
    assert len(signed) == 2
    assert all(line.endswith("registry.example/owner/rbridge@sha256:1f") for line in signed)


@pytest.mark.skipif(not shutil.which("dpkg-query"), reason="the list is that of a Debian machine")
def test_the_list_of_contents_is_spdx_and_the_same_twice():
    def made() -> str:
        command = [sys.executable, str(DOCKER / "sbom.py")]
        env = {**os.environ, "SOURCE_DATE_EPOCH": "1700000000"}
        return subprocess.run(command, env=env, capture_output=True, text=True, check=True).stdout

    text = made()
    assert text == made()
    found = json.loads(text)
    assert found["creationInfo"]["created"] == "2023-11-14T22:13:20Z"
    ids = [each["SPDXID"] for each in found["packages"]]
    assert len(ids) == len(set(ids))
    listed = subprocess.run(
        ["dpkg-query", "-W", "-f", "${db:Status-Status} ${Package}\n"],
        capture_output=True,
        text=True,
        check=True,
    )
    installed = {line.split()[1] for line in listed.stdout.splitlines() if line[:9] == "installed"}
    assert installed == {
        each["name"] for each in found["packages"] if each["SPDXID"].startswith("SPDXRef-deb-")
    }
    linked = {each["relatedSpdxElement"] for each in found["relationships"]}
    assert linked == set(ids)


@pytest.mark.skipif(not (ROOT / "rbridge").exists(), reason="set-up reads the sources")
@pytest.mark.parametrize(
    "user, tools, how",
    [
        ("1000", (), "su -c '{}'"),
        ("1000", ("sudo",), "sudo sh -c '{}'"),
        ("0", (), "{}"),
    ],
)
def test_without_r_setup_says_once_what_to_run_and_stops(tmp_path, user, tools, how):
    folder, programs = tmp_path / "clone", tmp_path / "bin"
    programs.mkdir()
    for name in ("docker", "rbridge/pins.toml", "r_scripts/install_packages.R"):
        place = folder / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.symlink_to(ROOT / name)
    for name in "sh bash awk cat cksum comm dirname echo grep head readlink sed sort xargs".split():
        (programs / name).symlink_to(shutil.which(name) or "/nowhere")
    for name, does in {"id": f"echo {user}", "dpkg-query": ":", "apt-get": "exit 1"}.items():
        program(programs / name, does)
    for name in tools:
        program(programs / name, "exit 1")
    done = subprocess.run(
        [programs / "bash", folder / "docker" / "setup.sh"],
        cwd=folder,
        env={"PATH": str(programs), "RBRIDGE_PYTHON": "/nowhere"},
        capture_output=True,
        text=True,
        check=False,
    )
    last = done.stderr.split("rbridge: R with nlme is missing, and ")[-1]
    command = re.fullmatch(r".*\. Run this once, then make again:\n\n {4}(.*)\n\n", last)
    assert done.returncode == 1 and command is not None, done.stderr
    before, after = how.split("{}")
    assert command[1].startswith(f"{before}apt-get update && apt-get install -y ")
    assert {"r-base-core", "python3-rpy2"} <= set(command[1].split())
    assert command[1].endswith(f" r-cran-nlme{after}")
    assert not (folder / ".venv").exists()
