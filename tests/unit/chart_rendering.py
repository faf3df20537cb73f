"""Renders the chart offline, with the engine that Helm itself is made of."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import helm_python
import yaml

ROOT = Path(__file__).parents[2]
CHART = ROOT / "deploy" / "helm" / "lotgate"


def scenario(name: str) -> dict[str, Any]:
    """The values of `ci/<name>-values.yaml`."""
    found = yaml.safe_load((CHART / "ci" / f"{name}-values.yaml").read_text(encoding="utf-8"))
    assert isinstance(found, dict)
    return found


def merged(base: dict[str, Any], change: dict[str, Any]) -> dict[str, Any]:
    """Values with a change laid over them, as Helm lays files over each other."""
    result = dict(base)
    for key, value in change.items():
        old = result.get(key)
        both = isinstance(old, dict) and isinstance(value, dict)
        result[key] = merged(old, value) if both and isinstance(old, dict) else value
    return result


def files(values: dict[str, Any], name: str = "plant") -> dict[str, str]:
    """Rendered text by template."""
    with helm_python.Chart.load(CHART) as chart:
        chart.validate_schema(values)
        rendered = chart.render(values, name=name, namespace="quality")
    return {Path(path).name: text for path, text in rendered.items()}


def objects(values: dict[str, Any], name: str = "plant") -> list[dict[str, Any]]:
    """Every Kubernetes object of a release."""
    return [
        found
        for file, text in files(values, name).items()
        if file.endswith(".yaml")
        for found in yaml.safe_load_all(text)
        if found
    ]


def of_kind(found: list[dict[str, Any]], kind: str) -> dict[str, dict[str, Any]]:
    """Objects of a kind by the component they belong to."""
    return {
        o["metadata"]["labels"]["app.kubernetes.io/component"]: o
        for o in found
        if o["kind"] == kind
    }


def pods(found: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Pod templates by component."""
    workloads = of_kind(found, "StatefulSet") | of_kind(found, "Deployment")
    return {component: o["spec"]["template"] for component, o in workloads.items()}
