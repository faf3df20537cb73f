"""What is installed under our names is ours, and what is shipped runs elsewhere too."""

from __future__ import annotations

import json
import re
import subprocess
from importlib.metadata import distribution, packages_distributions
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MACHINE_PATHS = re.compile(r"(?<![\w.])/(?:home|root|work|Users)/[\w.]")
TEXT = {".py", ".md", ".toml", ".yaml", ".yml", ".avsc", ".json", ".sql", ".txt", ".cfg", ".tpl"}


def editable() -> bool:
    """Whether this is a developer's installation, which leaves the packages in the checkout."""
    direct = distribution("lotgate").read_text("direct_url.json")
    return direct is not None and json.loads(direct).get("dir_info", {}).get("editable", False)


@pytest.mark.parametrize("package", ["streams", "connectors", "schemas"])
def test_the_three_generic_names_belong_to_this_distribution_alone(package: str) -> None:
    owners = set(packages_distributions().get(package, []))
    assert owners == {"lotgate"} or (editable() and not owners)
    spec = find_spec(package)
    assert spec is not None
    assert spec.origin is not None
    assert not editable() or Path(spec.origin).parents[1] == ROOT


def test_the_distribution_says_that_it_is_an_application() -> None:
    metadata = distribution("lotgate").metadata
    assert "Private :: Do Not Upload" in metadata.get_all("Classifier", [])
    assert metadata["License-Expression"] == "Apache-2.0"


def test_schemas_are_found_as_package_data() -> None:
    assert (files("schemas") / "avro" / "core" / "envelope.v1.avsc").is_file()
    assert (files("schemas") / "lock.json").is_file()


def shipped() -> list[Path]:
    """Every text file that belongs to the repository."""
    answer = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, check=True, capture_output=True, text=True,
    )  # fmt: skip
    named = [ROOT / line for line in answer.stdout.splitlines()]
    return [f for f in named if f.is_file() and (f.suffix in TEXT or not f.suffix)]


def test_no_file_names_a_place_on_one_machine() -> None:
    found = [
        f"{file.relative_to(ROOT)}:{number}: {line.strip()}"
        for file in shipped()
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1)
        if MACHINE_PATHS.search(line) and file != Path(__file__)
    ]
    assert not found, "\n".join(found)


def test_text_files_end_with_one_newline() -> None:
    odd = [
        str(file.relative_to(ROOT))
        for file in shipped()
        if file.suffix != ".json" and not re.search(r"(\A|[^\n])\n\Z|\A\Z", file.read_text("utf-8"))
    ]
    assert not odd


def test_the_licence_is_there_in_full() -> None:
    text = (ROOT / "LICENSE").read_text(encoding="utf-8")
    assert "Apache License" in text
    assert "END OF TERMS AND CONDITIONS" in text
