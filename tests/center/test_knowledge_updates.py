"""Answers that the center sends to a robot: signed, checked by it, taken into use or refused as a whole."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from inspection_contract.client import CenterClient
from inspection_contract.commands import KnowledgeUpdate, SignedCommand
from inspection_contract.signatures import SigningKey
from inspection_robot.bridge.commands import CommandRefused, check_command
from inspection_robot.bridge.orders import apply_knowledge
from inspection_robot.voice.knowledge import load
from inspection_robot.voice.knowledge_update import knowledge_in_use, update_path
from tests.center.running import RunningCenter


def update(version: int, **entry: object) -> dict[str, Any]:
    changed = json.loads(load().entries["fresh-fruit"].model_dump_json()) | entry
    return {"version": version, "entries": [changed]}


def send(running: RunningCenter, role: str, content: dict[str, Any]) -> httpx.Response:
    headers = {"Authorization": f"Bearer {running.service_token(role)}"}
    return httpx.post(
        f"{running.url}/api/v1/knowledge-updates", json={"update": content}, headers=headers, timeout=30
    )  # fmt: skip


def received(running: RunningCenter, token: str, cursor: int = 0) -> SignedCommand:
    with CenterClient(running.url, token) as client:
        return next(client.stream_commands(cursor))


def test_an_update_reaches_the_robot_signed_and_is_taken_into_use(
    running: RunningCenter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INSPECTION_STATE", str(tmp_path / "robot"))
    robot = running.enrol("robot_1")
    assert send(running, "supervisor", update(1, last_checked="2026-11-01")).json() == {"robots": ["robot_1"]}
    command = received(running, robot.token)
    checked = check_command(command, "robot_1", running.center.key.public, datetime.now(UTC))
    assert isinstance(checked.body, KnowledgeUpdate), checked.reason
    apply_knowledge(checked.body)
    base = knowledge_in_use(tmp_path / "robot")
    assert base.version == 1 and base.entries["fresh-fruit"].last_checked.isoformat() == "2026-11-01"


def test_a_wrongly_signed_update_and_one_that_does_not_fit_change_nothing(
    running: RunningCenter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INSPECTION_STATE", str(tmp_path / "robot"))
    robot = running.enrol("robot_1")
    send(running, "supervisor", update(1, sources=["nobody"]))
    command = received(running, robot.token)
    now, stranger = datetime.now(UTC), SigningKey.generate().public
    assert check_command(command, "robot_1", stranger, now).state == "rejected"
    changed = command.model_copy(update={"data": update(1)})
    assert check_command(changed, "robot_1", running.center.key.public, now).state == "rejected"
    body = check_command(command, "robot_1", running.center.key.public, now).body
    assert isinstance(body, KnowledgeUpdate)
    with pytest.raises(CommandRefused, match="cites unknown sources nobody"):
        apply_knowledge(body)
    assert not update_path(tmp_path / "robot").exists()


@pytest.mark.parametrize(
    "bad", [{"version": 0}, {"version": 1, "entries": [{"id": "x"}]}, {"version": 1, "note": "x"}, {}]
)
def test_the_center_refuses_what_no_robot_could_use(running: RunningCenter, bad: dict[str, Any]) -> None:
    running.enrol("robot_1")
    assert send(running, "supervisor", bad).status_code == 422


def test_only_a_supervisor_changes_answers(running: RunningCenter) -> None:
    assert send(running, "officer", update(1)).status_code == 403
