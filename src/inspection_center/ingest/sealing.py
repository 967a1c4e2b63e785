"""What an event marks as personal is sealed before it is stored; and opened again for those who may."""

from __future__ import annotations

from typing import Any

from pydantic_core import from_json, to_json
from sqlalchemy import Connection

from inspection_center.ingest.reading import ReadEvent
from inspection_center.personal import Vault
from inspection_contract.events import PERSONAL_PREFIX, Incident, Transcript


def subject_of(robot: str, event_type: str, values: dict[str, Any]) -> str:
    """Whose data an event has; empty when it marks nothing as personal."""
    if event_type == Transcript.TYPE:
        return f"session:{robot}:{values['session']}"
    if any(name.startswith(PERSONAL_PREFIX) for name in values.get("attributes", ())):
        return f"person:{robot}:{values.get('subject') or values['uuid']}"
    return ""


def seal_event(vault: Vault, connection: Connection, robot: str, event: ReadEvent) -> ReadEvent:
    """An event as it is stored."""
    values = from_json(event.data)
    subject = subject_of(robot, event.type, values)
    if not subject:
        return event
    places = _places(event.type, values)
    sealed = vault.seal(connection, [(subject, part[name]) for part, name in places])
    _replace(places, sealed)
    changes: dict[str, Any] = {"data": to_json(values).decode()}
    if event.detection is not None:
        changes["detection"] = event.detection._replace(attributes=to_json(values["attributes"]).decode())
    if isinstance(event.body, Incident):
        changes["body"] = event.body.model_copy(update={"attributes": values["attributes"]})
    return event._replace(**changes)


def open_event(
    vault: Vault, connection: Connection, robot: str, event_type: str, values: dict[str, Any]
) -> dict[str, Any]:
    """The data of a stored event with its personal parts opened; `erased` where the person was erased."""
    subject = subject_of(robot, event_type, values)
    if subject:
        places = _places(event_type, values)
        _replace(places, vault.open(connection, [(subject, part[name]) for part, name in places]))
    return values


def _places(event_type: str, values: dict[str, Any]) -> list[tuple[dict[str, str], str]]:
    if event_type == Transcript.TYPE:
        return [(values, "text")]
    attributes = values["attributes"]
    return [(attributes, name) for name in attributes if name.startswith(PERSONAL_PREFIX)]


def _replace(places: list[tuple[dict[str, str], str]], texts: list[str]) -> None:
    for (part, name), text in zip(places, texts, strict=True):
        part[name] = text
