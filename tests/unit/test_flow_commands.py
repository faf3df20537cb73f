"""What a person types about flows: answers, exit codes, and refusals with file and line."""

from __future__ import annotations

import base64
from pathlib import Path

import orjson
import pytest
from click.testing import CliRunner, Result

from streams.cli import cli
from streams.contracts.zones import Tokens

pytestmark = pytest.mark.urs("M1.3", "M1.4")

CONTRACTS = Path(__file__).parents[2] / "deploy" / "contracts"


def ran(folder: Path, *words: str) -> Result:
    return CliRunner().invoke(cli, [*words, "--contracts", str(folder)])


@pytest.fixture
def contracts(tmp_path: Path) -> Path:
    for name in ("interfaces.yaml", "ownership.yaml", "zones.yaml"):
        (tmp_path / name).write_bytes((CONTRACTS / name).read_bytes())
    return tmp_path


def changed(folder: Path, name: str, old: str, new: str) -> None:
    text = (folder / name).read_text(encoding="utf-8")
    assert old in text
    (folder / name).write_text(text.replace(old, new, 1), encoding="utf-8")


def test_the_shipped_documents_pass(contracts: Path) -> None:
    checked, routes = ran(contracts, "interfaces", "check"), ran(contracts, "topology", "check")
    assert (checked.exit_code, routes.exit_code) == (0, 0), checked.output + routes.output
    assert "nothing is wrong" in checked.output
    assert routes.output == ""


@pytest.mark.parametrize(
    ("name", "old", "new", "told"),
    [
        (
            "interfaces.yaml",
            "  mode: stream",
            "  mode: steam",
            "interfaces.yaml:8: 'flows.erp-cdc.mod",
        ),
        ("ownership.yaml", "owner: erp", "owner: erq", "ownership.yaml:5: there is no system"),
        ("zones.yaml", "Command.reason]", "Command.reasn]", "zones.yaml:10: rule CLOUD-1: no sch"),
    ],
)
def test_a_wrong_document_is_refused_by_the_command(
    contracts: Path, name: str, old: str, new: str, told: str
) -> None:
    changed(contracts, name, old, new)
    result = ran(contracts, "interfaces", "check")
    assert result.exit_code == 2
    assert told in result.output
    assert "the nearest is" in result.output


def test_a_direct_route_fails_the_check_until_it_is_waived(contracts: Path) -> None:
    changed(contracts, "interfaces.yaml", "source: crm\n    target: hub",
            "source: crm\n    target: erp")  # fmt: skip
    result = ran(contracts, "topology", "check", "--json")
    assert result.exit_code == 4
    assert [each["kind"] for each in orjson.loads(result.output)] == ["direct_route"]
    with (contracts / "interfaces.yaml").open("a", encoding="utf-8") as file:
        file.write(
            "waivers:\n  - kind: direct_route\n    subject: crm-cdc\n    reason: until the move\n"
            "    owner: head of sales quality\n    expires: 9999-01-01\n"
        )
    assert ran(contracts, "topology", "check").exit_code == 0


def test_the_register_says_which_tagged_field_goes_where_in_which_form(contracts: Path) -> None:
    changed(contracts, "zones.yaml", "  erp: site", "  erp: cloud")
    result = ran(contracts, "flows", "--json")
    assert result.exit_code == 0, result.output
    flows = {each["flow"]: each for each in orjson.loads(result.output)["flows"]}
    assert flows["erp-hold"]["zone"] == "cloud"
    assert "lotgate.core.Actor.user_id [pii] tokenise by CLOUD-2" in flows["erp-hold"]["fields"]
    denied = "lotgate.inventory.HoldCommand.reason [gxp, residency] deny by CLOUD-1"
    assert denied in flows["erp-hold"]["fields"]
    assert "lotgate.core.Actor.user_id [pii] pass" in flows["evidence"]["fields"]


def test_only_a_manual_flow_is_released_by_hand(contracts: Path) -> None:
    result = ran(
        contracts, "interfaces", "release", "erp-hold", "--by", "shift lead", "--reason", "r"
    )
    assert result.exit_code == 2
    assert "[not_manual]" in result.output


def test_a_token_is_revealed_to_who_holds_the_key(tmp_path: Path) -> None:
    keys = [base64.b64encode(bytes([number]) * 64).decode() for number in (1, 2)]
    for number, key in enumerate(keys):
        (tmp_path / f"key{number}").write_text(key + "\n", encoding="ascii")
    field = "lotgate.core.Actor.user_id"
    token = Tokens(keys[0]).token_of("inspector 12", field)
    words = ["interfaces", "reveal", token, "--field", field, "--key-file"]
    told = CliRunner().invoke(cli, [*words, str(tmp_path / "key0")])
    assert (told.exit_code, told.output) == (0, "inspector 12\n")
    refused = CliRunner().invoke(cli, [*words, str(tmp_path / "key1")])
    assert refused.exit_code == 4
    assert "[bad_token]" in refused.output
