"""What reached the center, as the demo shows it and counts it. Pure."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from inspection_contract.events import Detection, Incident, Severity
from inspection_contract.receipts import StoredEvent

_UNITS = {"Cel": "°C", "{counts}/s": "cps", "uSv/h": "µSv/h", "1": ""}
_COLOURS = {Severity.NOTICE: "36", Severity.WARNING: "33", Severity.ALARM: "31", Severity.EMERGENCY: "1;31"}


@dataclass(frozen=True)
class StoredFinding:
    """A detection with the center's clock beside the robot's."""

    number: int
    detection: Detection
    received: datetime

    @property
    def delay_s(self) -> float:
        """From measurement to the center's commit [s]; both clocks are this machine's in the demo."""
        return (self.received - self.detection.stamp).total_seconds()


def parse(event: StoredEvent) -> StoredFinding | Incident | None:
    """Read a stored event; None for what is neither finding nor incident."""
    if event.type == Detection.TYPE:
        return StoredFinding(event.number, Detection.model_validate(event.data), event.received)
    if event.type == Incident.TYPE:
        return Incident.model_validate(event.data)
    return None


def reading(detection: Detection) -> str:
    """Value with uncertainty and unit, e.g. ``36.9 ± 0.3 °C``; empty when there is none."""
    if detection.value is None:
        return ""
    unit = _UNITS.get(detection.unit, detection.unit)
    spread = "" if detection.standard_uncertainty is None else f" ± {detection.standard_uncertainty:.2g}"
    return f"{detection.value:.4g}{spread} {unit}".rstrip()


def line(item: StoredFinding | Incident, simulated_clock: bool, colour: bool) -> str:
    """One line for the terminal."""
    if isinstance(item, Incident):
        text = (
            f"{item.stamp:%H:%M:%S}  incident  {item.kind:24} {item.state:16} grade {item.grade or '–'}  {item.subject}"
        )
        return f"\033[35m{text}\033[0m" if colour else text
    detection = item.detection
    delay = "" if simulated_clock else f"  at the center after {item.delay_s:.2f} s"
    text = (
        f"{detection.stamp:%H:%M:%S}  finding   {detection.kind:24} {reading(detection):18} "
        f"p {detection.confidence:.2f}  {detection.subject:10} {len(detection.evidence)} picture(s){delay}"
    )
    code = _COLOURS.get(detection.severity)
    return f"\033[{code}m{text}\033[0m" if colour and code else text


def people_screened(findings: Iterable[StoredFinding]) -> int:
    """Number of different people with a reading at the center."""
    return len({f.detection.subject or f.detection.uuid for f in findings if f.detection.kind == "thermal.screening"})


def summary(findings: Sequence[StoredFinding], incidents: Sequence[Incident], simulated_clock: bool) -> dict[str, Any]:
    """Counts by kind, people screened, incidents by last state, and the delay to the center."""
    delays = sorted(finding.delay_s for finding in findings)
    last_states = {incident.uuid: incident.state for incident in incidents}
    return {
        "findings": len(findings),
        "findings_by_kind": dict(Counter(finding.detection.kind for finding in findings)),
        "duplicates": len(findings) - len({finding.detection.uuid for finding in findings}),
        "people_screened": people_screened(findings),
        "incidents": len(last_states),
        "incidents_by_state": dict(Counter(last_states.values())),
        "delay_median_s": round(statistics.median(delays), 3) if delays and not simulated_clock else None,
        "delay_max_s": round(delays[-1], 3) if delays and not simulated_clock else None,
    }
