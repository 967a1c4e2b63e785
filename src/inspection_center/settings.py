"""The center's settings: one YAML file, everything with a default."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from inspection_center.auth.permissions import OfficerRole
from inspection_contract.envelope import MAXIMUM_BATCH_BYTES, MAXIMUM_EVIDENCE_BYTES, first_fault
from inspection_contract.errors import InputError


class S3Settings(BaseModel):
    """An S3-compatible evidence store; credentials come from the environment (AWS_ACCESS_KEY_ID, …)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    bucket: str
    endpoint_url: str = ""
    prefix: str = "evidence/"


class RetentionSettings(BaseModel):
    """How long things are kept [days]; 0: for ever."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    routine_evidence_days: Annotated[float, Field(ge=0)] = 30
    incident_evidence_days: Annotated[float, Field(ge=0)] = 365
    personal_evidence_days: Annotated[float, Field(ge=0)] = 7
    events_days: Annotated[float, Field(ge=0)] = 730


class MapOrigin(BaseModel):
    """Where the port map lies on earth: its origin (WGS 84), and how far it is turned clockwise from x = east."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    latitude_deg: Annotated[float, Field(gt=-89, lt=89)]
    longitude_deg: Annotated[float, Field(ge=-180, le=180)]
    turn_deg: Annotated[float, Field(ge=-360, le=360)] = 0.0


class SupervisionSettings(BaseModel):
    """Supervision of enforcement (docs/supervision.md)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    rules: str = ""
    """A folder with risk points; empty: the shipped ones."""
    time_zone: str = "Asia/Shanghai"
    """Of the port, for hours of the day and weekdays."""
    lateness_s: Annotated[float, Field(ge=0, le=86_400)] = 60.0
    """How long what happens may take to be told; it is judged after that."""
    interval_s: Annotated[float, Field(gt=0, le=60)] = 1.0
    """Between two looks at what has happened."""
    page: Annotated[int, Field(ge=10, le=200_000)] = 20_000
    """Events judged and stored at once when many wait."""


class OidcSettings(BaseModel):
    """An OpenID Connect provider; its client secret comes from the environment (INSPECTION_OIDC_SECRET)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    issuer: Annotated[str, Field(pattern=r"^https?://")]
    client_id: Annotated[str, Field(min_length=1)]
    scope: str = "openid profile"
    name_claim: str = "preferred_username"
    role_claim: str = "roles"
    """Claim with a person's roles or groups; a dot leads inside (realm_access.roles)."""
    roles: dict[str, OfficerRole]
    """Value of the claim → role here; the first that fits counts."""


class Settings(BaseModel):
    """All settings of one installation."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    database_url: str = ""
    """SQLAlchemy address; empty: SQLite in the state folder."""
    s3: S3Settings | None = None
    """Empty: evidence as files in the state folder."""
    nats_url: str = ""
    """Fan-out between several instances; empty: this is the only one."""
    public_url: str = ""
    """How browsers and robots reach the center; empty: the address it listens on."""
    session_hours: Annotated[float, Field(gt=0, le=168)] = 10
    maximum_batch_bytes: Annotated[int, Field(gt=0, le=2**28)] = MAXIMUM_BATCH_BYTES
    maximum_evidence_bytes: Annotated[int, Field(gt=0, le=2**32)] = MAXIMUM_EVIDENCE_BYTES
    clock_tolerance_s: Annotated[float, Field(gt=0)] = 5.0
    """A robot whose clock is further off is marked."""
    silent_after_s: Annotated[float, Field(gt=0)] = 15.0
    """A robot not heard of for this long is silent."""
    alert_due_s: Annotated[float, Field(gt=0)] = 120.0
    """An alert that nobody has decided after this long is late."""
    language: Literal["zh", "en"] = "en"
    """Of a browser that asks for neither."""
    floor_plan: str = ""
    """ROS map_server's YAML file whose picture is drawn below the floor plan; empty: a plain hall."""
    oidc: OidcSettings | None = None
    """Empty: only accounts of this center sign in."""
    map_origin: MapOrigin | None = None
    """Needed to draw ships on the map."""
    exchange: str = ""
    """File of the systems we exchange with and of AIS receivers (config/exchange/partners.yaml); empty: none."""
    spot_check_rate: Annotated[float, Field(ge=0, le=1)] = 0.02
    """Which part of the releases on documents is checked against the goods."""
    retention: RetentionSettings = RetentionSettings()
    supervision: SupervisionSettings = SupervisionSettings()


def read_settings(path: Path | None) -> Settings:
    """Read a settings file; defaults without one.

    Raises:
        InputError: the file is missing, no YAML, or has a setting that does not exist or does not fit.
    """
    if path is None:
        return Settings()
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(path, error.strerror or str(error)) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InputError(path, f"no YAML: {error}") from error
    try:
        return Settings.model_validate(content if content is not None else {})
    except ValidationError as error:
        raise InputError(path, first_fault(error)) from error
