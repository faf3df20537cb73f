"""Settings: one frozen class per process, read once from `LOTGATE_*` variables.

A variable that no process knows is refused by name, because a misspelt setting that is silently
ignored is how a plant ends up in the wrong mode. Variables that Kubernetes makes for services
(`LOTGATE_..._SERVICE_HOST`, `LOTGATE_..._PORT...`) are ignored; `OTEL_*` belongs to OpenTelemetry.
Secrets are given directly or, better, as `..._FILE`, and are never printed.
"""

from __future__ import annotations

import difflib
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator

from streams.errors import Misconfigured
from streams.runtime.connection import KafkaConnection
from streams.runtime.source_choices import SourceChoices

if TYPE_CHECKING:
    from collections.abc import Mapping

PREFIX = "LOTGATE_"
KUBERNETES_FORMS = re.compile(
    r"^LOTGATE(_\w+)?_(SERVICE_(HOST|PORT)(_\w+)?|PORT(_\d+_(TCP|UDP|SCTP)(_\w+)?)?)$"
)


class CommonSettings(BaseModel):
    """What every process needs to reach the broker and the schema registry."""

    model_config: ClassVar[ConfigDict] = ConfigDict(frozen=True, extra="forbid")

    bootstrap: str = Field(description="Kafka bootstrap servers, host:port[,host:port].")
    registry_url: str = Field(description="Base URL of the Confluent-compatible registry API.")
    prefix: str = Field("", description="Put before every topic, group and transactional id.")
    group: str = Field("lotgate", description="The worker's group; internal topics carry it.")
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = Field(
        "PLAINTEXT", description="Kafka security protocol."
    )
    sasl_mechanism: Literal["", "SCRAM-SHA-256", "SCRAM-SHA-512", "PLAIN"] = Field(
        "", description="SASL mechanism; empty without SASL."
    )
    sasl_username: str = Field("", description="SASL user.")
    sasl_password: SecretStr | None = Field(None, description="SASL password.")
    sasl_password_file: Path | None = Field(None, description="File that holds the password.")
    ca_file: Path | None = Field(None, description="Certificate authority of the broker, PEM.")
    replication_factor: int = Field(
        3, ge=1, description="Copies of each topic; preflight refuses fewer."
    )
    min_insync: int = Field(2, ge=1, description="min.insync.replicas; preflight refuses less.")
    provision: bool = Field(
        default=False, description="Create missing topics and register schemas at start."
    )
    log_format: Literal["json", "text"] = Field(
        "json", description="Log lines for programs or people."
    )
    contracts: Path | None = Field(
        None, description="Directory of interfaces.yaml, ownership.yaml and zones.yaml to obey."
    )
    fault: str = Field("", description="Fault point at which to die; for tests only.")

    def connection(self) -> KafkaConnection:
        """The broker connection as a value.

        Raises:
            Misconfigured: A secret file cannot be read.
        """
        security: dict[str, str] = {}
        if self.security_protocol != "PLAINTEXT":
            security["security.protocol"] = self.security_protocol
        if self.ca_file is not None:
            security["ssl.ca.location"] = str(self.ca_file)
        if self.sasl_mechanism:
            security["sasl.mechanism"] = self.sasl_mechanism
            security["sasl.username"] = self.sasl_username
            security["sasl.password"] = secret(
                "LOTGATE_SASL_PASSWORD", self.sasl_password, self.sasl_password_file
            )
        return KafkaConnection(
            self.bootstrap,
            self.prefix,
            self.group,
            security,
            self.replication_factor,
            self.min_insync,
        )


class WatchdogSettings(BaseModel):
    """What a worker must know before it imports anything that may start a thread."""

    model_config: ClassVar[ConfigDict] = ConfigDict(frozen=True, extra="forbid")

    watchdog_s: float = Field(
        60.0, ge=0, description="Seconds without movement (5 or more) that end it; 0 for never."
    )

    @field_validator("watchdog_s")
    @classmethod
    def _leaves_room(cls, given: float) -> float:
        if 0 < given < 5:
            raise ValueError("5 or more, or 0: a cycle works for a second, a machine pauses")
        return given


class HealthSettings(BaseModel):
    """Where a process tells how it is: probes and metrics."""

    model_config: ClassVar[ConfigDict] = ConfigDict(frozen=True, extra="forbid")

    health_host: str = Field("0.0.0.0", description="Address of probes and metrics.")  # noqa: S104 - the node's
    health_port: int = Field(
        0, ge=0, le=65_535, description="TCP port of probes and metrics; 0 for none."
    )


class WorkerSettings(CommonSettings, WatchdogSettings, HealthSettings):
    """`lotgate worker`: stages and their state."""

    data_dir: Path = Field(description="Where the stores of this instance live; one volume each.")
    instance_id: str = Field(
        description="Stable name of this instance; the pod's name on Kubernetes."
    )
    hold_targets: str = Field("erp", description="Comma-separated targets that holds are sent to.")
    session_timeout_ms: int = Field(
        45_000, ge=6_000, le=90_000, description="How long a dead worker keeps its partitions."
    )
    group_protocol: Literal["classic", "consumer"] = Field(
        "classic",
        description="How workers share partitions; consumer is KIP-848, with the broker's session.",
    )
    standbys: int = Field(
        0, ge=0, le=1, description="1: keep a copy of each store partition that others own."
    )
    transaction_timeout_ms: int = Field(
        10_000, ge=2_000, description="How long a dead worker's open transaction blocks readers."
    )
    cycle_records: int = Field(20_000, ge=1, description="Most records in one cycle.")
    cycle_floor_ms: int = Field(0, ge=0, description="Least time between two cycles.")
    parking_records: int = Field(
        10_000, ge=1, description="Most records that wait behind one partition's dead letters."
    )
    parking_bytes: int = Field(
        64 * 1024 * 1024, ge=4_096, description="Most bytes of the records that wait there."
    )


class SourceSettings(CommonSettings, HealthSettings, SourceChoices):
    """`lotgate connect <name>-cdc`: one database read through logical replication."""

    source_dsn: SecretStr | None = Field(None, description="PostgreSQL connection string.")
    source_dsn_file: Path | None = Field(None, description="File that holds it.")
    source_site: str = Field(description="The plant whose lots this source describes.")
    source_slot: str = Field("", description="Replication slot; default lotgate_<source id>.")
    source_publication: str = Field("lotgate", description="Publication that names the tables.")
    source_selection: str = Field(
        "", description="Tables, keys and field policy as JSON: see `lotgate cdc --help`."
    )
    source_selection_file: Path | None = Field(None, description="File that holds it.")
    source_hash_key: SecretStr | None = Field(None, description="Key of hashed columns.")
    source_hash_key_file: Path | None = Field(None, description="File that holds it.")
    source_translator: str = Field("", description="Translator; default by the connector's name.")
    source_partition: int = Field(
        -1, ge=-1, description="Partition of this source's positions; default by the name."
    )
    source_parked_records: int = Field(
        1_000_000,
        ge=1,
        description="Most records kept aside while the registry refuses schemas.",
    )
    source_parked_bytes: int = Field(
        2 * 1024 * 1024 * 1024, ge=1, description="Most bytes of them."
    )


class HoldSettings(CommonSettings, HealthSettings):
    """`lotgate connect <name>-hold`: one system in which holds are placed."""

    erp_url: str = Field(
        description="Base URL of the ERP, with the database, e.g. http://erp/plant."
    )
    erp_key: SecretStr | None = Field(None, description="REST key of the ERP user that holds lots.")
    erp_key_file: Path | None = Field(None, description="File that holds the key.")
    erp_timeout_s: float = Field(30.0, gt=0, description="Time-out of one call to the ERP.")
    erp_company: int = Field(1, ge=1, description="Id of the company whose stock is meant.")
    erp_quarantine: str = Field("QUA", description="Code of the quarantine location.")
    instance_id: str = Field(
        "0", description="Stable name of this instance; needed when several run for one target."
    )
    enforce: Literal["observe", "propose", "enforce"] = Field(
        "observe", description="observe (reads only), propose or enforce."
    )
    place_open: bool = Field(
        default=False, description="With enforce: also place the holds that observe mode reported."
    )
    token_key: SecretStr | None = Field(
        None, description="Key of tokens in place of fields: 64 bytes, base64."
    )
    token_key_file: Path | None = Field(None, description="File that holds it.")
    cancel_shipments: bool = Field(
        default=False, description="Cancel picked or packed customer shipments of a held lot."
    )


class TraceSettings(BaseModel):
    """`lotgate trace`: reads the evidence database and nothing else."""

    model_config: ClassVar[ConfigDict] = ConfigDict(frozen=True, extra="forbid")

    evidence_dsn: SecretStr | None = Field(None, description="PostgreSQL connection string.")
    evidence_dsn_file: Path | None = Field(None, description="File that holds it.")


class EvidenceSettings(CommonSettings, TraceSettings, HealthSettings):
    """`lotgate connect evidence`: everything that happened, in PostgreSQL."""


class ToolSettings(EvidenceSettings):
    """Commands that a person runs: `tail`, `dlq`, `schema`, `topology`."""


class StackSettings(BaseModel):
    """The local stack of a checkout."""

    model_config: ClassVar[ConfigDict] = ConfigDict(frozen=True, extra="forbid")

    dir: Path = Field(Path(".lotgate"), description="Where the local stack keeps everything.")


PROCESSES: tuple[type[BaseModel], ...] = (
    WorkerSettings,
    SourceSettings,
    HoldSettings,
    EvidenceSettings,
    ToolSettings,
    TraceSettings,
    StackSettings,
)

T = TypeVar("T", bound=BaseModel)


def known_variables() -> frozenset[str]:
    """Every variable that some process reads."""
    names = (name for process in PROCESSES for name in process.model_fields)
    return frozenset(PREFIX + name.upper() for name in names)


def refuse_unknown(environment: Mapping[str, str]) -> None:
    """Refuse variables that nothing reads.

    Raises:
        Misconfigured: Names each one, and the nearest known name.
    """
    known = known_variables()
    unknown = sorted(
        name
        for name in environment
        if name.startswith(PREFIX) and name not in known and not KUBERNETES_FORMS.match(name)
    )
    if not unknown:
        return
    told = []
    for name in unknown:
        near = difflib.get_close_matches(name, known, n=1)
        told.append(f"{name} (did you mean {near[0]}?)" if near else name)
    raise Misconfigured(
        f"no process reads {', '.join(told)}",
        code="unknown_setting",
        advice="correct or remove these variables; `lotgate settings` lists the known ones",
    )


def load(
    process: type[T],
    defaults: Mapping[str, Any] | None = None,
    environment: Mapping[str, str] | None = None,
) -> T:
    """Read a process's settings.

    Args:
        process: The settings class.
        defaults: Values for what the environment does not set (the local stack's addresses).
        environment: Instead of the process's own environment.

    Raises:
        Misconfigured: A variable is unknown, missing or wrong; says which and why.
    """
    variables = os.environ if environment is None else environment  # noqa: TID251 - the one reader
    refuse_unknown(variables)
    fields = process.model_fields
    values: dict[str, Any] = {k: v for k, v in (defaults or {}).items() if k in fields}
    for name in fields:
        given = variables.get(PREFIX + name.upper(), "")
        if given:
            values[name] = given
    try:
        return process(**values)
    except ValidationError as error:
        raise Misconfigured(
            "; ".join(_told(problem) for problem in error.errors(include_input=False)),
            code="bad_setting",
            advice="set these variables; `lotgate settings` describes each",
        ) from None


def _told(problem: Mapping[str, Any]) -> str:
    name = PREFIX + ".".join(str(part) for part in problem["loc"]).upper()
    if problem["type"] == "missing":
        return f"{name} is not set"
    return f"{name}: {problem['msg']}"


def secret(name: str, given: SecretStr | None, file: Path | None) -> str:
    """A secret from its variable or its file.

    Args:
        name: The variable, for the error.
        given: The value, if it was given directly.
        file: The file, if it was given by reference; re-read on every call.

    Raises:
        Misconfigured: Neither is set, or the file cannot be read.
    """
    if file is not None:
        try:
            return file.read_text(encoding="utf-8").strip()
        except OSError as error:
            raise Misconfigured(
                f"{name}_FILE names {file}, which cannot be read: {error.strerror}",
                code="secret_unreadable",
                advice="mount the secret there, or correct the variable",
            ) from error
    if given is not None:
        return given.get_secret_value()
    raise Misconfigured(
        f"{name} is not set", code="bad_setting", advice=f"set {name} or {name}_FILE"
    )


def described() -> list[tuple[str, str, str, str]]:
    """Every variable: name, processes, default, meaning; for `lotgate settings` and the docs."""
    rows: dict[str, tuple[list[str], str, str]] = {}
    for process in PROCESSES:
        for name, field in process.model_fields.items():
            default = "required" if field.is_required() else str(field.default)
            processes = rows.setdefault(
                PREFIX + name.upper(), ([], default, field.description or "")
            )[0]
            processes.append(process.__name__.removesuffix("Settings").lower())
    return [(n, ", ".join(p), d, m) for n, (p, d, m) in sorted(rows.items())]
