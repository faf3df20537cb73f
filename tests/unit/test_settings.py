"""Settings refuse what nobody reads and never print what is secret."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from streams.errors import Misconfigured
from streams.runtime.settings import (
    PROCESSES,
    EvidenceSettings,
    HoldSettings,
    ToolSettings,
    WatchdogSettings,
    WorkerSettings,
    described,
    known_variables,
    load,
    refuse_unknown,
    secret,
)

BASE = {"LOTGATE_BOOTSTRAP": "b:9092", "LOTGATE_REGISTRY_URL": "http://r"}


def test_a_misspelt_variable_is_refused_by_name_with_the_nearest_one() -> None:
    with pytest.raises(Misconfigured, match=r"LOTGATE_BOTSTRAP \(did you mean LOTGATE_BOOTSTRAP"):
        refuse_unknown({"LOTGATE_BOTSTRAP": "x"})


@pytest.mark.parametrize(
    "name",
    [
        "LOTGATE_SERVICE_HOST",
        "LOTGATE_SERVICE_PORT",
        "LOTGATE_SERVICE_PORT_METRICS",
        "LOTGATE_PORT",
        "LOTGATE_PORT_8080_TCP",
        "LOTGATE_PORT_8080_TCP_ADDR",
        "LOTGATE_WORKER_SERVICE_HOST",
        "LOTGATE_WORKER_PORT_9092_TCP_PROTO",
        "OTEL_SERVICE_NAME",
        "PATH",
    ],
)
def test_variables_of_kubernetes_and_of_others_are_ignored(name: str) -> None:
    refuse_unknown({name: "x"})


@pytest.mark.parametrize("name", ["LOTGATE_SERVICE", "LOTGATE_PORTS", "LOTGATE_ENFORCED"])
def test_near_misses_of_the_kubernetes_forms_are_still_unknown(name: str) -> None:
    with pytest.raises(Misconfigured, match=name):
        refuse_unknown({name: "x"})


@pytest.mark.parametrize(("given", "is_taken"), [("0", True), ("4.9", False), ("5", True)])
def test_a_watchdog_leaves_room_for_a_cycle(given: str, is_taken: bool) -> None:
    environment = {"LOTGATE_WATCHDOG_S": given}
    if is_taken:
        assert load(WatchdogSettings, environment=environment).watchdog_s == float(given)
    else:
        with pytest.raises(Misconfigured, match=r"LOTGATE_WATCHDOG_S: .*5 or more, or 0"):
            load(WatchdogSettings, environment=environment)


def test_a_missing_variable_is_named() -> None:
    with pytest.raises(Misconfigured, match="LOTGATE_DATA_DIR is not set"):
        load(WorkerSettings, environment=BASE)


def test_a_wrong_value_is_named_without_being_printed() -> None:
    with pytest.raises(Misconfigured, match="LOTGATE_ENFORCE") as refused:
        load(
            HoldSettings,
            environment={**BASE, "LOTGATE_ERP_URL": "http://e", "LOTGATE_ENFORCE": "s3cret"},
        )
    assert "s3cret" not in str(refused.value)


def test_the_environment_wins_over_defaults() -> None:
    settings = load(
        ToolSettings, {"bootstrap": "local:1", "group": "g"}, {**BASE, "LOTGATE_PREFIX": "p"}
    )
    assert (settings.bootstrap, settings.group, settings.prefix) == ("b:9092", "g", "p")


def test_settings_are_frozen() -> None:
    settings = load(ToolSettings, environment=BASE)
    with pytest.raises(ValidationError):
        settings.__setattr__("bootstrap", "other")


def test_secrets_are_not_printed() -> None:
    settings = load(
        EvidenceSettings,
        environment={
            **BASE,
            "LOTGATE_EVIDENCE_DSN": "postgresql://u:hunter2@h/d",
            "LOTGATE_SASL_MECHANISM": "PLAIN",
            "LOTGATE_SASL_PASSWORD": "hunter3",
        },
    )
    printed = f"{settings} {settings!r} {settings.connection()!r}"
    assert "hunter" not in printed
    assert settings.connection().security["sasl.password"] == "hunter3"


def test_a_secret_comes_from_its_file_first(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_text("from-file\n")
    assert secret("LOTGATE_ERP_KEY", None, path) == "from-file"
    with pytest.raises(Misconfigured, match="LOTGATE_ERP_KEY_FILE"):
        secret("LOTGATE_ERP_KEY", None, path.with_name("absent"))
    with pytest.raises(Misconfigured, match="LOTGATE_ERP_KEY is not set"):
        secret("LOTGATE_ERP_KEY", None, None)


def test_every_setting_of_every_process_is_described() -> None:
    assert all(meaning for _, _, _, meaning in described())
    assert {name for name, *_ in described()} == known_variables()
    assert all(process.model_config.get("frozen") for process in PROCESSES)


def test_a_target_that_nobody_configured_is_only_observed() -> None:
    settings = load(HoldSettings, environment={**BASE, "LOTGATE_ERP_URL": "http://erp/plant"})
    assert settings.enforce == "observe"
    assert not settings.place_open
    assert not settings.cancel_shipments
