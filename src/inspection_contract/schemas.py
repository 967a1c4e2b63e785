"""JSON Schemas of every event and command, for those who speak to the center in another language."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from inspection_contract.commands import COMMAND_TYPES
from inspection_contract.envelope import CloudEvent, schema_name
from inspection_contract.events import EVENT_TYPES


def json_schemas() -> dict[str, dict[str, Any]]:
    """JSON Schema (2020-12) by event or command type, and the envelope's under `cloudevent`."""
    models: dict[str, type[BaseModel]] = {"cloudevent": CloudEvent, **EVENT_TYPES, **COMMAND_TYPES}
    return {
        name: {
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "$id": schema_name(name),
            **model.model_json_schema(mode="validation"),
        }
        for name, model in models.items()
    }
