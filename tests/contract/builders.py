"""Events for tests: complete, and cheap to vary."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

from inspection_contract.events import Detection, Severity
from inspection_contract.fields import Pose, Position

MOMENT = datetime(2026, 3, 26, 7, 46, 1, 250000, tzinfo=UTC)


def detection(**changes: Any) -> Detection:
    """A fever finding with a place."""
    fields: dict[str, Any] = {
        "uuid": uuid4(),
        "stamp": MOMENT,
        "frame_id": "thermal_optical_frame",
        "kind": "thermal.fever",
        "severity": Severity.ALARM,
        "confidence": 0.93,
        "value": 38.4,
        "unit": "Cel",
        "standard_uncertainty": 0.21,
        "subject": "thermal_17",
        "pose": Pose(position=Position(x=12.5, y=3.25), covariance=tuple([0.04] + [0.0] * 35)),
        "rule_id": "fever.two_stage",
        "rule_version": "1",
        "attributes": {"site": "canthi", "reference": "true"},
    }
    return Detection(**{**fields, **changes})


OUTBOX = UUID("6b0c1f9e-9f0a-4c1c-8a53-0a4f7f0d3c11")
