"""An app of one's own, as commands find it and as its settings are put together."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from examples import lot_hold
from streams.app import application, settings_of, topics_of
from streams.errors import Misconfigured
from streams.operator.answers.apps import imported
from streams.runtime.connection import KafkaConnection
from streams.runtime.settings import ToolSettings

pytestmark = pytest.mark.urs("M3.1")

PLACE = "http://127.0.0.1:8081"


@dataclass(frozen=True)
class Elsewhere:
    """Something that is no app."""


not_an_app = Elsewhere()


@pytest.fixture(autouse=True)
def _plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LOTGATE_BOOTSTRAP", "LOTGATE_GROUP", "BROKER_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LOTGATE_REGISTRY_URL", PLACE)


def test_an_app_is_found_by_its_place_with_and_without_its_name() -> None:
    assert imported("examples.lot_hold:app") is lot_hold.app
    assert imported("examples.lot_hold") is lot_hold.app


@pytest.mark.parametrize(
    ("place", "said"),
    [
        ("no_such_module:app", "No module named"),
        ("examples.lot_hold:nothing", "nothing"),
        (":app", "cannot be imported"),
        (f"{__name__}:not_an_app", "is a Elsewhere, not an app"),
    ],
)
def test_what_is_no_app_is_refused_by_name(place: str, said: str) -> None:
    with pytest.raises(Misconfigured, match=said) as refused:
        imported(place)
    assert refused.value.code == "bad_app"


def test_an_apps_name_is_its_group_unless_the_environment_says_otherwise(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    app = application("lot-hold")
    local = {"bootstrap": "local:1", "group": "lotgate"}
    assert settings_of(app, ToolSettings, local).connection().group == "lot-hold"
    assert settings_of(app, ToolSettings, local).bootstrap == "local:1"
    monkeypatch.setenv("LOTGATE_GROUP", "trial")
    assert settings_of(app, ToolSettings, local).connection().group == "trial"
    with pytest.raises(Misconfigured, match="LOTGATE_BOOTSTRAP is not set"):
        settings_of(app, ToolSettings)


def test_a_broker_that_the_app_or_faust_names_is_the_one_that_is_used(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    app = application("lot-hold", broker="lotgate://one:1;two")
    assert settings_of(app, ToolSettings).bootstrap == "one:1,two:9092"
    monkeypatch.setenv("LOTGATE_BOOTSTRAP", "other:9092")
    assert settings_of(app, ToolSettings).bootstrap == "one:1,two:9092"
    monkeypatch.setenv("BROKER_URL", "lotgate://three:3")
    assert settings_of(application("lot-hold"), ToolSettings).bootstrap == "three:3"


@pytest.mark.parametrize("url", ["kafka://here:9092", "here:9092"])
def test_another_transport_would_bypass_the_transactions_and_is_refused(url: str) -> None:
    with pytest.raises(Misconfigured, match="kafka://") as refused:
        settings_of(application("lot-hold", broker=url), ToolSettings)
    assert refused.value.code == "bad_broker_url"


def test_a_changelog_has_as_many_partitions_as_the_input_that_is_there() -> None:
    connection = KafkaConnection("here:9092", "site", "lot-hold")
    given = topics_of(lot_hold.app, connection, {"site.example.inspection.events": 12})
    sizes = {spec.name: spec.partitions for spec in given}
    assert sizes["site.lot-hold-lots-changelog"] == 12
    assert sizes["site.example.hold.commands"] == 4
