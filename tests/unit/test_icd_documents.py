"""The shipped interface documents, and what a person sees who writes one."""

from __future__ import annotations

import hashlib
import json
import shutil
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import jsonschema
import orjson
import pytest
import yaml
from click.testing import CliRunner

from connectors.registry import CONNECTORS
from connectors.runner.sink.config import SinkConfig
from streams.app import installation_of
from streams.cli import cli
from streams.contracts.catalog import Catalog
from streams.contracts.icd.document import InterfaceDocument
from streams.contracts.icd.loading import Loaded, read_file, read_folder
from streams.contracts.icd.rendered.printed import pdf_of
from streams.contracts.icd.words import differences
from streams.contracts.topics import INTERNAL, PUBLIC
from streams.errors import Misconfigured
from streams.runtime.connection import KafkaConnection

pytestmark = pytest.mark.urs("M1.6")

ROOT = Path(__file__).parents[2]
SHIPPED = ROOT / "deploy" / "contracts" / "icd"
HOLD = (SHIPPED / "erp-hold.yaml").read_text(encoding="utf-8")


def run(*words: str | Path, code: int = 0) -> str:
    result = CliRunner().invoke(cli, ["icd", *map(str, words)])
    assert result.exit_code == code, result.output
    return result.output


def shipped() -> list[Loaded]:
    return read_folder(SHIPPED, Catalog.load())


def written(folder: Path, text: str, name: str = "erp-hold") -> Path:
    file = folder / f"{name}.yaml"
    file.write_text(text, encoding="utf-8")
    return file


def test_every_topic_of_the_installation_is_documented_as_it_is_declared() -> None:
    connection = KafkaConnection("nowhere", prefix="p", group="g", min_insync=2)
    specs = {spec.name: spec for spec in installation_of(connection)}
    documented = {
        topic.full_name("p", "g"): topic
        for loaded in shipped()
        for topic in loaded.document.topics
        if not topic.is_pattern
    }
    assert documented.keys() == specs.keys()
    for name, topic in documented.items():
        spec = specs[name]
        assert topic.partitions == spec.partitions
        assert topic.cleanup == spec.config["cleanup.policy"]
        kept = spec.config.get("retention.ms")
        assert topic.retention_ms == (None if kept is None else int(kept))
        assert not (topic.audit and topic.cleanup == "compact")


def test_every_declared_topic_names_the_schema_that_is_written_and_its_published_text() -> None:
    catalog = Catalog.load()
    lock = json.loads((ROOT / "schemas" / "lock.json").read_text(encoding="utf-8"))
    published = {(d.name, d.version): lock[d.path] for d in catalog.declarations()}
    documented = {topic.name: topic.schema_ for each in shipped() for topic in each.document.topics}
    for topic in (*PUBLIC, *INTERNAL):
        promise = documented[topic.name]
        assert promise is not None, topic.name
        assert isinstance(topic.schema, str)
        assert (promise.name, promise.version) == (topic.schema, catalog.version_of(topic.schema))
        assert promise.fingerprint == published[promise.name, promise.version]


def test_the_documented_retry_budget_is_the_hold_sinks_own() -> None:
    document = read_file(SHIPPED / "erp-hold.yaml").document
    contract = SinkConfig(target="erp").contract
    assert document.errors.retry.model_dump() == contract["retry"]
    assert document.errors.dead_letters.replace("{group}", "lotgate") == contract["dead_letters"]
    assert {d.document.connector for d in shipped()} - {None} <= CONNECTORS.keys()


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("partitions: 4", "partitons: 4", "the nearest is partitions"),
        ("partitions: 4", "partitions: many", "valid integer"),
        ("criticality: high", "criticality: hihg", "the nearest is high"),
        ("retention: forever", "retention: 30 years", "30d, 12h, 45m, 90s"),
        (
            "name: lotgate.inventory.HoldCommand",
            "name: lotgate.inventory.HoldComand",
            "the nearest is lotgate.inventory.HoldCommand",
        ),
        ("      version: 1", "      version: 7", "has no version 7; the newest is 1"),
        ("level: FULL_TRANSITIVE", "level: FULL_TRANSITIV", "the nearest is FULL_TRANSITIVE"),
        ("    cleanup: delete", "    key: twice", "'key' stands here twice"),
        ("tested_at: 2026-11-20", "tested_at: someday", "date"),
        ("User:lotgate-worker", "lotgate-worker", "User:"),
    ],
)
def test_a_wrong_document_is_refused_with_file_line_reason_and_nearest_name(
    tmp_path: Path, old: str, new: str, reason: str
) -> None:
    assert old in HOLD
    text = HOLD.replace(old, new, 1)
    file = written(tmp_path, text)
    told = run("render", "--dir", tmp_path, "--out", tmp_path / "out", code=2)
    assert f"{file}:{text[: text.index(new)].count(chr(10)) + 1}: " in told
    assert reason in told
    assert not (tmp_path / "out").exists()


def test_a_document_without_a_field_is_refused_by_the_name_of_the_field(tmp_path: Path) -> None:
    file = written(tmp_path, HOLD.replace("criticality: high\n", ""))
    told = run("asyncapi", "--dir", tmp_path, code=2)
    assert f"{file}:1: 'criticality' is missing" in told


def test_a_topic_in_two_documents_is_refused_where_it_stands_again(tmp_path: Path) -> None:
    written(tmp_path, HOLD)
    second = written(tmp_path, HOLD.replace("id: erp-hold", "id: other", 1), "other")
    told = run("asyncapi", "--dir", tmp_path, code=2)
    line = HOLD[: HOLD.index("- name: inventory.hold.commands")].count("\n") + 1
    assert f"{second}:{line}: topic inventory.hold.commands is already at " in told
    assert run("asyncapi", "--dir", tmp_path / "none", code=2).count("--dir") == 1


def test_a_diff_says_in_words_what_changed(tmp_path: Path) -> None:
    changed = (
        HOLD.replace("partitions: 4", "partitions: 8", 1)
        .replace("reads: 3", "reads: 5")
        .replace(
            "read: [User:lotgate-worker, User:lotgate-evidence]", "read: [User:lotgate-worker]"
        )
        .replace("  - role: head of quality systems", "  - role: plant manager")
    )
    new = written(tmp_path, changed)
    lines = run("diff", SHIPPED / "erp-hold.yaml", new, code=4).splitlines()
    assert lines == [
        "errors: retry: reads is now 5; it was 3",
        "escalation to head of quality systems is gone",
        "escalation to plant manager is new",
        "topic inventory.hold.commands: partitions is now 8; it was 4",
        "topic inventory.hold.acks: access: read is now without User:lotgate-evidence",
        "the content changed and the version did not rise: it is 1, it was 1",
    ]
    same = written(tmp_path, "# a comment\n" + HOLD, "same")
    assert run("diff", SHIPPED / "erp-hold.yaml", same) == "the same content\n"


def test_a_new_version_that_says_so_is_not_complained_about() -> None:
    old = read_file(SHIPPED / "erp-hold.yaml").document
    new = old.model_copy(update={"version": 2})
    assert differences(old, new) == ["version is now 2; it was 1"]
    assert differences(new, old)[-1].endswith("it is 1, it was 2")


def test_rendering_records_the_hash_of_content_and_files_and_repeats_byte_for_byte(
    tmp_path: Path,
) -> None:
    for name in ("first", "second"):
        run("render", "--dir", SHIPPED, "--out", tmp_path / name)
    made = json.loads((tmp_path / "first" / "manifest.json").read_text(encoding="utf-8"))
    assert len(made) == 2 * len(shipped())
    content = {loaded.document.id: loaded.content_hash for loaded in shipped()}
    for each in made:
        first, second = (tmp_path / name / each["file"] for name in ("first", "second"))
        assert first.read_bytes() == second.read_bytes()
        assert hashlib.sha256(first.read_bytes()).hexdigest() == each["file_sha256"]
        assert each["content_sha256"] == content[each["document"]]
        if first.suffix == ".html":
            page = first.read_text(encoding="utf-8")
            assert page.count(each["content_sha256"]) == 2
        else:
            assert first.read_bytes().startswith(b"%PDF-")


def test_a_page_shows_texts_as_texts(tmp_path: Path) -> None:
    written(tmp_path, HOLD.replace("title: Holds are", "title: <script>x</script> & holds are"))
    run("render", "--dir", tmp_path, "--out", tmp_path / "out", "--format", "html")
    page = (tmp_path / "out" / "erp-hold.html").read_text(encoding="utf-8")
    assert "<script>" not in page
    assert "&lt;script&gt;" in page


def test_a_letter_that_the_printed_form_lacks_is_refused_by_name(tmp_path: Path) -> None:
    file = written(tmp_path, HOLD.replace("title: Holds are", "title: Pressão ≤ 3 is"))
    with pytest.raises(Misconfigured, match="≤") as refused:
        pdf_of(read_file(file))
    assert refused.value.code == "font_needed"
    with pytest.raises(Misconfigured) as refused:
        pdf_of(read_file(file), font=file)
    assert refused.value.code == "bad_font"


@pytest.mark.urs("M3.1")
def test_the_asyncapi_document_is_valid_by_its_own_published_schema() -> None:
    schema = json.loads((ROOT / "tests/golden/asyncapi/3.1.0.json").read_text(encoding="utf-8"))
    judge = jsonschema.Draft7Validator(schema)
    server = ("--server", "broker:9092", "--registry", "http://registry", "--secure")
    found = json.loads(run("asyncapi", "--dir", SHIPPED, *server))
    assert found["servers"]["site"]["protocol"] == "kafka-secure"
    assert [error.message for error in judge.iter_errors(found)] == []
    assert found["channels"].keys() == found["components"]["messages"].keys()
    lot = found["components"]["messages"]["inventory.lot.events"]["payload"]["schema"]
    assert (lot["namespace"], lot["name"]) == ("lotgate.inventory", "Lot")
    found["channels"]["inventory.lot.events"]["bindings"]["kafka"]["partitions"] = 0
    assert list(judge.iter_errors(found)), "the schema judges nothing"


def test_the_content_hash_is_of_the_content_alone(tmp_path: Path) -> None:
    content: dict[str, Any] = yaml.safe_load(HOLD)
    turned = dict(reversed(content.items()))
    file = written(tmp_path, yaml.safe_dump(turned, sort_keys=False))
    original = read_file(SHIPPED / "erp-hold.yaml")
    assert read_file(file).content_hash == original.content_hash
    model = InterfaceDocument.model_validate(
        {**content, "effective": date(2026, 11, 24) + timedelta(days=1)}
    )
    assert orjson.dumps(model.model_dump(mode="json")) != orjson.dumps(
        original.document.model_dump(mode="json")
    )


def test_documents_are_copied_and_read_from_anywhere(tmp_path: Path) -> None:
    shutil.copytree(SHIPPED, tmp_path / "elsewhere")
    assert [each.content_hash for each in read_folder(tmp_path / "elsewhere", Catalog.load())] == [
        each.content_hash for each in shipped()
    ]
