"""What the chart makes: objects that Kubernetes takes, processes that their settings take."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import helm_python
import kubernetes_validate
import pytest
import yaml

from connectors.registry import CONNECTORS
from connectors.sources.postgres.selection import read_selection
from streams.runtime.health import PROBES
from streams.runtime.settings import (
    CommonSettings,
    EvidenceSettings,
    HoldSettings,
    SourceSettings,
    WorkerSettings,
    load,
)
from tests.unit.chart_rendering import CHART, files, merged, objects, of_kind, pods, scenario

MINIMAL, FULL = scenario("minimal"), scenario("full")
SCENARIOS = {"minimal": MINIMAL, "full": FULL}
SETTINGS: dict[str, type[CommonSettings]] = {
    "worker": WorkerSettings,
    "erp-cdc": SourceSettings,
    "qms-cdc": SourceSettings,
    "crm-cdc": SourceSettings,
    "erp-hold": HoldSettings,
    "evidence": EvidenceSettings,
}


@pytest.fixture(scope="module", params=sorted(SCENARIOS))
def release(request: pytest.FixtureRequest) -> list[dict[str, Any]]:
    return objects(SCENARIOS[request.param])


@pytest.fixture(scope="module")
def full() -> list[dict[str, Any]]:
    return objects(FULL)


@pytest.mark.parametrize("version", ["1.29", "1.33", "1.37"])
def test_every_object_is_valid_and_has_no_unknown_field(
    release: list[dict[str, Any]], version: str
) -> None:
    for found in release:
        kubernetes_validate.validate(found, version, strict=True)


@pytest.mark.parametrize("name", SCENARIOS)
def test_the_chart_has_no_lint_finding(name: str) -> None:
    report = helm_python.lint(CHART, SCENARIOS[name], strict=True)
    assert [m for m in report["messages"] if m["severity"] > 1] == []
    assert report["errors"] == []


def test_names_are_unique_and_follow_the_release(release: list[dict[str, Any]]) -> None:
    names = [(o["kind"], o["metadata"]["name"]) for o in release]
    assert len(set(names)) == len(names)
    assert all(name.startswith("plant-lotgate-") for _, name in names)
    named = objects(FULL, name="lotgate")
    assert {o["metadata"]["name"].split("-")[0] for o in named} == {"lotgate"}


def test_every_process_takes_its_variables(full: list[dict[str, Any]]) -> None:
    for component, config in of_kind(full, "ConfigMap").items():
        variables = {k: v for k, v in config["data"].items() if k.startswith("LOTGATE_")}
        for variable in container(full, component).get("env", ()):
            variables[variable["name"]] = "pod-0"
        settings = load(SETTINGS[component], environment=variables)
        assert settings.bootstrap == FULL["kafka"]["bootstrap"]
        assert settings.sasl_username == f"lotgate-{component}"
        assert settings.replication_factor == 3


def container(found: list[dict[str, Any]], component: str) -> dict[str, Any]:
    (only,) = pods(found)[component]["spec"]["containers"]
    assert isinstance(only, dict)
    return only


def test_each_component_runs_its_own_command(full: list[dict[str, Any]]) -> None:
    assert container(full, "worker")["args"] == ["worker"]
    connectors = set(pods(full)) - {"worker"}
    assert connectors == set(CONNECTORS)
    for name in connectors:
        assert container(full, name)["args"] == ["connect", name]


def test_no_pod_gets_service_variables_or_a_token(release: list[dict[str, Any]]) -> None:
    accounts = of_kind(release, "ServiceAccount")
    for component, pod in pods(release).items():
        assert pod["spec"]["enableServiceLinks"] is False
        assert pod["spec"]["automountServiceAccountToken"] is False
        account = accounts[component]
        assert pod["spec"]["serviceAccountName"] == account["metadata"]["name"]
        assert account["automountServiceAccountToken"] is False


def test_no_process_can_gain_rights_or_write_outside_its_volumes(
    release: list[dict[str, Any]],
) -> None:
    for component, pod in pods(release).items():
        spec, own = pod["spec"], container(release, component)
        assert spec["securityContext"]["runAsNonRoot"] is True
        assert spec["securityContext"]["runAsUser"] > 10000
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert own["securityContext"]["readOnlyRootFilesystem"] is True
        assert own["securityContext"]["allowPrivilegeEscalation"] is False
        assert own["securityContext"]["capabilities"] == {"drop": ["ALL"]}
        assert "ephemeral-storage" in own["resources"]["limits"]
        assert "memory" in own["resources"]["limits"]


def test_every_mount_has_a_volume_and_secrets_are_files(full: list[dict[str, Any]]) -> None:
    claims = {"state"}
    for component, pod in pods(full).items():
        volumes = {v["name"]: v for v in pod["spec"]["volumes"]}
        mounts = container(full, component)["volumeMounts"]
        assert {m["name"] for m in mounts} - claims == set(volumes)
        for mount in mounts:
            if "secret" in volumes.get(mount["name"], {}):
                assert mount["readOnly"] is True
        for variable in container(full, component).get("env", ()):
            assert "secretKeyRef" not in variable.get("valueFrom", {})
    assert of_kind(full, "Secret") == {}


def test_each_component_has_a_principal_and_a_password_of_its_own(
    full: list[dict[str, Any]],
) -> None:
    keys = {}
    for component, pod in pods(full).items():
        (kafka,) = [v for v in pod["spec"]["volumes"] if v["name"] == "kafka"]
        keys[component] = kafka["secret"]["items"][0]["key"]
    assert len(set(keys.values())) == len(keys)


def test_workers_keep_name_and_state(full: list[dict[str, Any]]) -> None:
    workers = of_kind(full, "StatefulSet")["worker"]["spec"]
    service = of_kind(full, "Service")["worker"]
    assert workers["podManagementPolicy"] == "Parallel"
    assert workers["serviceName"] == service["metadata"]["name"]
    assert service["spec"]["clusterIP"] == "None"
    assert workers["persistentVolumeClaimRetentionPolicy"] == {
        "whenDeleted": "Retain",
        "whenScaled": "Retain",
    }
    (claim,) = workers["volumeClaimTemplates"]
    assert claim["spec"]["accessModes"] == ["ReadWriteOnce"]
    assert claim["spec"]["storageClassName"] == "fast"
    (variable,) = container(full, "worker")["env"]
    assert variable["name"] == "LOTGATE_INSTANCE_ID"
    assert variable["valueFrom"]["fieldRef"]["fieldPath"] == "metadata.name"
    data = of_kind(full, "ConfigMap")["worker"]["data"]["LOTGATE_DATA_DIR"]
    mounts = {m["name"]: m["mountPath"] for m in container(full, "worker")["volumeMounts"]}
    assert mounts["state"] == data


def test_one_worker_at_a_time_may_be_taken_away(release: list[dict[str, Any]]) -> None:
    budget = of_kind(release, "PodDisruptionBudget")["worker"]["spec"]
    assert budget["maxUnavailable"] == 1
    assert budget["unhealthyPodEvictionPolicy"] == "AlwaysAllow"
    pod = pods(release)["worker"]["metadata"]["labels"]
    assert budget["selector"]["matchLabels"].items() <= pod.items()


def test_a_connector_never_runs_twice_at_once(full: list[dict[str, Any]]) -> None:
    for deployment in of_kind(full, "Deployment").values():
        assert deployment["spec"]["replicas"] == 1
        assert deployment["spec"]["strategy"] == {"type": "Recreate"}


PATHS = {"startupProbe": "/startupz", "readinessProbe": "/readyz", "livenessProbe": "/livez"}


def test_each_probe_asks_for_its_own_path(release: list[dict[str, Any]]) -> None:
    for component in pods(release):
        found = container(release, component)
        probes = {key: probe for key, probe in found.items() if key.endswith("Probe")}
        assert {key: probe["httpGet"]["path"] for key, probe in probes.items()} == PATHS
        assert {*PATHS.values()} == {*PROBES}, "what is asked for is served"
        (port,) = found["ports"]
        assert port["name"] == "health"
        assert {probe["httpGet"]["port"] for probe in probes.values()} == {"health"}
        served = of_kind(release, "ConfigMap")[component]["data"]["LOTGATE_HEALTH_PORT"]
        assert served == str(port["containerPort"])
        startup = probes["startupProbe"]
        patience = 600 if component == "worker" else 300
        assert startup["periodSeconds"] * startup["failureThreshold"] == patience


def test_a_source_gets_its_selection_and_the_secrets_that_it_needs(
    full: list[dict[str, Any]],
) -> None:
    variables = of_kind(full, "ConfigMap")["erp-cdc"]["data"]
    settings = load(SourceSettings, environment=variables | {"LOTGATE_SOURCE_HASH_KEY": ""})
    given = FULL["connectors"]["erp-cdc"]["source"]["selection"]
    assert json.loads(settings.source_selection) == given
    selection = read_selection(settings.source_selection, b"0" * 32, "chart")
    assert selection.keys == {"public.stock_lot": ("number", "product")}
    assert str(settings.source_hash_key_file) == "/etc/lotgate/system/hash-key"
    (system,) = (v for v in pods(full)["erp-cdc"]["spec"]["volumes"] if v["name"] == "system")
    paths = {item["path"]: item["key"] for item in system["secret"]["items"]}
    assert paths == {"secret": "dsn", "hash-key": "hash-key", "ca.crt": "ca.crt"}
    assert "LOTGATE_SOURCE_SELECTION" not in of_kind(full, "ConfigMap")["qms-cdc"]["data"]


def test_a_workers_protocol_and_standbys_are_values(full: list[dict[str, Any]]) -> None:
    variables = of_kind(full, "ConfigMap")["worker"]["data"]
    assert (variables["LOTGATE_GROUP_PROTOCOL"], variables["LOTGATE_STANDBYS"]) == ("consumer", "1")
    plain = of_kind(objects(MINIMAL), "ConfigMap")["worker"]["data"]
    assert (plain["LOTGATE_GROUP_PROTOCOL"], plain["LOTGATE_STANDBYS"]) == ("classic", "0")


@pytest.mark.parametrize(("limit", "failures"), [(60, 7), (0, 3), (5, 3), (300, 31)])
def test_liveness_is_more_patient_than_the_watchdog(limit: int, failures: int) -> None:
    made = objects(merged(MINIMAL, {"worker": {"watchdogSeconds": limit}}))
    live = container(made, "worker")["livenessProbe"]
    assert live["failureThreshold"] == failures
    assert live["periodSeconds"] * failures > limit
    config = of_kind(made, "ConfigMap")["worker"]["data"]
    assert config["LOTGATE_WATCHDOG_S"] == str(limit)


def test_probes_can_be_replaced_or_left_out() -> None:
    own = {"livenessProbe": {"exec": {"command": ["true"]}, "periodSeconds": 10}}
    made = container(objects(merged(MINIMAL, {"worker": {"probes": own}})), "worker")
    assert made["livenessProbe"] == own["livenessProbe"]
    assert made["readinessProbe"]["httpGet"]["path"] == "/readyz"
    without = container(objects(merged(MINIMAL, {"worker": {"health": {"port": 0}}})), "worker")
    assert not [key for key in without if key.endswith("Probe") or key == "ports"]


def test_nothing_reaches_a_pod_and_a_pod_reaches_only_what_is_listed(
    full: list[dict[str, Any]],
) -> None:
    policies = of_kind(full, "NetworkPolicy")
    assert set(policies) == set(pods(full))
    for component, policy in policies.items():
        spec = policy["spec"]
        assert spec["podSelector"]["matchLabels"].items() <= (
            pods(full)[component]["metadata"]["labels"].items()
        )
        assert spec["policyTypes"] == ["Ingress", "Egress"]
        (ingress,) = spec["ingress"]
        assert ingress["from"] == FULL["networkPolicy"]["metricsPeers"]
        assert [rule["port"] for rule in ingress["ports"]] == [8080]
        _, kafka, registry, *system = spec["egress"]
        assert kafka["to"] == FULL["networkPolicy"]["kafkaPeers"]
        assert kafka["ports"] == [{"port": 9093, "protocol": "TCP"}]
        assert registry["ports"] == [{"port": 443, "protocol": "TCP"}]
        wanted = FULL["connectors"].get(component, {}).get("egress", [])
        assert [
            {"cidr": rule["to"][0]["ipBlock"]["cidr"], "port": rule["ports"][0]["port"]}
            for rule in system
        ] == wanted


@pytest.mark.parametrize(
    ("url", "port"),
    [
        ("http://registry:8080/apis/ccompat/v7", 8080),
        ("http://registry/apis", 80),
        ("https://registry", 443),
        ("https://registry:8443", 8443),
    ],
)
def test_the_registrys_port_is_that_of_its_url(url: str, port: int) -> None:
    policy = of_kind(objects(merged(MINIMAL, {"registry": {"url": url}})), "NetworkPolicy")
    assert policy["worker"]["spec"]["egress"][2]["ports"][0]["port"] == port


def test_without_a_reader_of_metrics_nothing_may_connect() -> None:
    policies = of_kind(objects(MINIMAL), "NetworkPolicy")
    assert [policy["spec"]["ingress"] for policy in policies.values()] == [[] for _ in policies]


def test_policies_can_be_left_to_others() -> None:
    release = objects(merged(MINIMAL, {"networkPolicy": {"enabled": False}}))
    assert of_kind(release, "NetworkPolicy") == {}


def test_a_changed_variable_restarts_its_pods_alone() -> None:
    changed = merged(FULL, {"connectors": {"erp-hold": {"hold": {"timeoutSeconds": 5}}}})
    before, after = pods(objects(FULL)), pods(objects(changed))
    differ = {name for name, pod in before.items() if pod != after[name]}
    assert differ == {"erp-hold"}


def test_a_digest_wins_over_a_tag() -> None:
    assert container(objects(FULL), "worker")["image"] == (
        f"images.example/lotgate@{FULL['image']['digest']}"
    )
    tagged = objects(merged(MINIMAL, {"image": {"tag": "9"}}))
    assert container(tagged, "worker")["image"] == "images.example/lotgate:9"
    version = yaml.safe_load((CHART / "Chart.yaml").read_text())["appVersion"]
    assert container(objects(MINIMAL), "worker")["image"] == f"images.example/lotgate:{version}"


def test_the_notes_say_what_is_off_and_what_is_insecure() -> None:
    notes = files(MINIMAL)["NOTES.txt"]
    assert "not encrypted" not in files(FULL)["NOTES.txt"]
    assert "neither encrypted nor authenticated" in notes
    assert "erp-hold: off" in notes
    observed = merged(FULL, {"connectors": {"erp-hold": {"hold": {"enforce": "observe"}}}})
    assert "holds nothing in the ERP" in files(observed)["NOTES.txt"]


def test_rendering_is_the_same_every_time() -> None:
    digests = {
        hashlib.sha256(json.dumps(files(FULL), sort_keys=True).encode()).hexdigest()
        for _ in range(3)
    }
    assert len(digests) == 1


def test_scenarios_stay_out_of_the_package(tmp_path: Path) -> None:
    packed = helm_python.package(str(CHART), destination=str(tmp_path))
    with helm_python.Chart.load(packed) as chart:
        assert not [f for f in chart.files if f["name"].startswith("ci/")]
