"""The wheel: it holds the product and nothing else, and its schemas are found from inside it."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PRINT_NAMES = (
    "from streams.contracts.catalog import Catalog; import schemas;"
    "print(schemas.__file__); print(*Catalog.load().names(), sep='\\n')"
)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", target],
        cwd=ROOT, check=True, capture_output=True,
    )  # fmt: skip
    (made,) = target.glob("lotgate-*.whl")
    return made


def test_it_holds_the_packages_and_the_licence(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as packed:
        names = packed.namelist()
    roots = {name.partition("/")[0] for name in names}
    assert {root for root in roots if not root.endswith(".dist-info")} == {
        "streams",
        "connectors",
        "schemas",
    }
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in names)
    assert "schemas/lock.json" in names
    for file in (ROOT / "schemas" / "avro").rglob("*.avsc"):
        assert file.relative_to(ROOT).as_posix() in names


def test_its_schemas_are_found_where_it_is_installed(wheel: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(wheel) as packed:
        packed.extractall(tmp_path)
    answer = subprocess.run(
        [sys.executable, "-c", PRINT_NAMES],
        cwd=tmp_path, env={"PYTHONPATH": str(tmp_path)}, check=True, capture_output=True, text=True,
    )  # fmt: skip
    where, *names = answer.stdout.splitlines()
    assert Path(where).is_relative_to(tmp_path)
    assert "lotgate.quality.Nonconformity" in names
