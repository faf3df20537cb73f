"""The image: small, not root, one process, and what it is made from is public."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]
CONTAINERFILE = ROOT / "Containerfile"


def instructions() -> list[tuple[str, str]]:
    text = CONTAINERFILE.read_text(encoding="utf-8").replace("\\\n", " ")
    lines = [line.strip() for line in text.splitlines()]
    split = [line.split(maxsplit=1) for line in lines if line and not line.startswith("#")]
    return [(word, rest) for word, rest in split]


def test_the_linter_finds_nothing() -> None:
    hadolint = Path(sys.executable).with_name("hadolint")
    found = subprocess.run(
        [hadolint, "--config", ROOT / ".hadolint.yaml", CONTAINERFILE],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert found.returncode == 0, found.stdout + found.stderr


def test_bases_are_one_slim_public_image_of_a_supported_python() -> None:
    bases = {rest.split()[0] for word, rest in instructions() if word == "FROM"}
    (base,) = bases
    version = re.fullmatch(r"python:(3\.\d+)-slim-[a-z]+", base)
    assert version is not None, "no host before the name: mirrors are the builder's setting"
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert f"Programming Language :: Python :: {version[1]}" in project["classifiers"]


def test_it_runs_as_the_user_that_the_chart_demands() -> None:
    users = [rest for word, rest in instructions() if word == "USER"]
    values = yaml.safe_load((ROOT / "deploy/helm/lotgate/values.yaml").read_text(encoding="utf-8"))
    security = values["podSecurity"]
    assert users == [f"{security['runAsUser']}:{security['runAsGroup']}"]


def test_signals_reach_the_process_itself() -> None:
    entries = [rest for word, rest in instructions() if word == "ENTRYPOINT"]
    assert entries == ['["lotgate"]']


def test_only_what_the_wheel_needs_is_copied() -> None:
    copied = {
        source
        for word, rest in instructions()
        if word == "COPY" and "--from" not in rest
        for source in rest.split()[:-1]
    }
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    packages = set(project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"])
    assert packages <= copied
    assert copied - packages == {"pyproject.toml", "README.md", "CHANGELOG.md", "LICENSE"}
    assert all((ROOT / source).exists() for source in copied)
    assert not [rest for word, rest in instructions() if word == "ADD"]


def test_chart_and_product_have_one_version() -> None:
    chart = yaml.safe_load((ROOT / "deploy/helm/lotgate/Chart.yaml").read_text(encoding="utf-8"))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert chart["version"] == chart["appVersion"] == project["version"]
