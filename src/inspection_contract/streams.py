"""AsyncAPI 3 description of the event streams between robots, center and readers."""

from __future__ import annotations

from typing import Any

from inspection_contract.commands import COMMAND_TYPES
from inspection_contract.events import EVENT_TYPES
from inspection_contract.schemas import json_schemas

_SCHEMA_FORMAT = "application/schema+json;version=2020-12"


def asyncapi(server_url: str) -> dict[str, Any]:
    """The description as JSON values: channels, messages, payload schemas.

    Args:
        server_url: where the center is reached, e.g. ``https://center.example:8443``.
    """
    schemas = json_schemas()
    scheme, _, host = server_url.partition("://")
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Inspection center: event streams",
            "version": "1",
            "description": "Events go up in signed CloudEvents batches; stored events and commands come as server-sent "
            "events whose id is the cursor to go on from (Last-Event-ID or ?after=).",
        },
        "defaultContentType": "application/json",
        "servers": {"center": {"host": host, "protocol": scheme}},
        "channels": {
            "reports": _channel("/api/v1/events", "What a robot found, once and in order.", EVENT_TYPES),
            "events": _channel("/api/v1/events/stream", "Everything stored, told after its commit.", EVENT_TYPES),
            "commands": _channel("/api/v1/commands/stream", "Signed commands for one robot.", COMMAND_TYPES),
        },
        "operations": {
            "report": {"action": "receive", "channel": {"$ref": "#/channels/reports"}},
            "tellEvents": {"action": "send", "channel": {"$ref": "#/channels/events"}},
            "command": {"action": "send", "channel": {"$ref": "#/channels/commands"}},
        },
        "components": {
            "messages": {
                name: {"name": name, "payload": {"schemaFormat": _SCHEMA_FORMAT, "schema": schema}}
                for name, schema in schemas.items()
                if name != "cloudevent"
            },
            "schemas": {"cloudevent": schemas["cloudevent"]},
        },
    }  # fmt: skip


def _channel(address: str, description: str, types: dict[str, Any]) -> dict[str, Any]:
    return {
        "address": address,
        "description": description,
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in types},
    }
