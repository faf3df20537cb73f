"""What the chart refuses to render, and what it says then."""

from __future__ import annotations

from typing import Any

import helm_python
import pytest

from streams.contracts.topics import LOT_INPUT
from tests.unit.chart_rendering import CHART, files, merged, objects, of_kind, scenario

MINIMAL, FULL = scenario("minimal"), scenario("full")


def refusal(values: dict[str, Any]) -> str:
    with pytest.raises(helm_python.HelmError) as caught:
        files(values)
    return str(caught.value)


def test_everything_without_a_default_is_told_at_once() -> None:
    told = refusal({})
    for name in ("image.repository", "kafka.bootstrap", "registry.url"):
        assert f"set {name}" in told


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"image": {"repository": ""}}, "set image.repository"),
        ({"kafka": {"bootstrap": ""}}, "set kafka.bootstrap"),
        ({"registry": {"url": ""}}, "set registry.url"),
        ({"worker": {"replicas": 5}}, "only 4 workers can have a partition"),
        ({"kafka": {"minInsync": 4}}, "kafka.minInsync is above"),
        ({"kafka": {"sasl": {"mechanism": ""}}}, "needs kafka.sasl.mechanism"),
        ({"kafka": {"sasl": {"existingSecret": ""}}}, "kafka.sasl.existingSecret"),
        ({"worker": {"saslUsername": ""}}, "set worker.saslUsername"),
        ({"connectors": {"erp-cdc": {"saslUsername": ""}}}, "set connectors.erp-cdc.saslUsername"),
        ({"connectors": {"erp-cdc": {"egress": []}}}, "set connectors.erp-cdc.egress"),
        ({"connectors": {"erp-cdc": {"source": {"site": ""}}}}, "erp-cdc.source.site"),
        (
            {"connectors": {"qms-cdc": {"source": {"existingSecret": ""}}}},
            "qms-cdc.source.existingSecret",
        ),
        ({"connectors": {"erp-hold": {"hold": {"url": ""}}}}, "erp-hold.hold.url"),
        (
            {"connectors": {"erp-hold": {"hold": {"existingSecret": ""}}}},
            "erp-hold.hold.existingSecret",
        ),
        (
            {"connectors": {"evidence": {"evidence": {"existingSecret": ""}}}},
            "evidence.evidence.existingSecret",
        ),
    ],
)
def test_a_missing_or_impossible_value_is_named(change: dict[str, Any], told: str) -> None:
    assert told in refusal(merged(FULL, change))


@pytest.mark.parametrize(
    "change",
    [
        {"workers": {"replicas": 2}},
        {"image": {"repo": "x"}},
        {"kafka": {"sasl": {"password": "inline"}}},
        {"connectors": {"erp-cdc": {"source": {"dsn": "inline"}}}},
        {"connectors": {"erp-hold": {"hold": {"key": 5}}}},
        {"connectors": {"erp2-hold": {"enabled": True}}},
        {"connectors": {"erp-hold": {"hold": {"enforce": "on"}}}},
        {"connectors": {"erp-cdc": {"egress": [{"cidr": "erp", "port": 5432}]}}},
        {"worker": {"replicas": 0}},
        {"worker": {"sessionTimeoutMs": 200000}},
        {"worker": {"env": {"LOTGATE_SASL_PASSWORD": "inline"}}},
        {"worker": {"env": {"OTEL_EXPORTER_OTLP_HEADERS": "authorization=inline"}}},
        {"worker": {"env": {"PATH": "/x"}}},
        {"kafka": {"bootstrap": "kafka"}},
        {"kafka": {"securityProtocol": "TLS"}},
        {"podSecurity": {"runAsUser": 0}},
        {"image": {"digest": "latest"}},
    ],
    ids=str,
)
def test_unknown_names_wrong_kinds_and_inline_secrets_are_refused(change: dict[str, Any]) -> None:
    (first,) = change
    told = refusal(merged(FULL, change))
    assert f"- at '/{first}/" in told or f"- at '/{first}':" in told or f"'{first}'" in told


def test_a_connector_that_is_off_needs_nothing() -> None:
    assert of_kind(objects(MINIMAL), "Deployment") == {}


def test_a_hold_target_starts_harmless() -> None:
    connector: dict[str, Any] = {
        "enabled": True,
        "hold": {"url": "http://erp/plant", "existingSecret": "s"},
        "egress": [{"cidr": "10.0.0.1/32", "port": 80}],
    }
    release = objects(merged(MINIMAL, {"connectors": {"erp-hold": connector}}))
    config = of_kind(release, "ConfigMap")["erp-hold"]["data"]
    assert config["LOTGATE_ENFORCE"] == "observe"
    assert config["LOTGATE_PLACE_OPEN"] == "false"


def test_the_default_number_of_partitions_is_that_of_the_topics() -> None:
    with helm_python.Chart.load(CHART) as chart:
        assert chart.values["worker"]["partitions"] == LOT_INPUT.partitions
