from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest

from inspection_contract.client import CenterClient
from inspection_contract.commands import Announcement, Command, SignedCommand, WatchlistEntry, WatchlistUpdate
from inspection_contract.envelope import CloudEvent
from inspection_contract.errors import InputError
from inspection_contract.signatures import SigningKey, command_bytes
from inspection_robot.bridge.commands import CommandReceiver, CommandRefused
from inspection_robot.bridge.orders import apply_watchlist, read_watchlist
from inspection_robot.bridge.outbox import Outbox

KEY = SigningKey.generate()


def signed(body: Command, *, robot: str = "robot_1", life_s: float = 60.0, number: int = 1) -> SignedCommand:
    now = datetime.now(UTC)
    fields = {
        "id": str(uuid4()),
        "robot": robot,
        "type": body.TYPE,
        "issued": now.isoformat(timespec="microseconds").replace("+00:00", "Z"),
        "expires": (now + timedelta(seconds=life_s)).isoformat(timespec="microseconds").replace("+00:00", "Z"),
        "data": body.model_dump(mode="json"),
    }
    signature = KEY.sign(command_bytes(**fields))  # type: ignore[arg-type]  # one dict for call and model
    return SignedCommand.model_validate_json(json.dumps({"offset": number, "signature": signature, **fields}))


class Receiving:
    """A receiver that notes what it applies."""

    def __init__(self, folder: Path) -> None:
        self.applied: list[Command] = []
        self.outbox = Outbox(folder / "outbox.db", "robot_1")
        self.refuse = ""
        self.receiver = CommandReceiver(
            CenterClient("http://c"), "robot_1", KEY.public, self.outbox, self._apply, lambda: None
        )

    def _apply(self, body: Command, _: SignedCommand) -> None:
        if self.refuse:
            raise CommandRefused(self.refuse)
        self.applied.append(body)

    def outcomes(self) -> list[tuple[str, str]]:
        events = [CloudEvent.model_validate_json(event.bytes) for event in self.outbox.waiting_events(100, 2**20)]
        return [(event.data["state"], event.data["reason"]) for event in events]


@pytest.fixture
def receiving(tmp_path: Path) -> Receiving:
    return Receiving(tmp_path)


def words() -> Announcement:
    return Announcement(announcement_id=uuid4(), text_zh="请注意", text_en="Attention")


def test_a_command_is_applied_once_and_acknowledged(receiving: Receiving) -> None:
    command = signed(words(), number=7)
    assert receiving.receiver.handle(command) == "applied"
    assert receiving.receiver.handle(command) == "applied"
    assert len(receiving.applied) == 1
    assert receiving.outcomes() == [("applied", "")]
    assert receiving.outbox.command_cursor() == 7


@pytest.mark.parametrize(
    ("change", "state", "reason"),
    [
        ({"data": {"announcement_id": str(uuid4()), "text_en": "Other words"}}, "rejected", "signature"),
        ({"expires": "2999-01-01T00:00:00.000000Z"}, "rejected", "signature"),
        ({"signature": "A" * 86}, "rejected", "signature"),
        ({"robot": "robot_2"}, "rejected", "signature"),
    ],
)
def test_altered_commands_are_refused(receiving: Receiving, change: dict[str, object], state: str, reason: str) -> None:
    command = SignedCommand.model_validate_json(json.dumps({**json.loads(signed(words()).model_dump_json()), **change}))
    assert receiving.receiver.handle(command) == state
    assert reason in receiving.outcomes()[0][1]
    assert receiving.applied == []


def test_expired_foreign_and_refused_commands_are_told_so(receiving: Receiving) -> None:
    assert receiving.receiver.handle(signed(words(), life_s=-1.0)) == "expired"
    assert receiving.receiver.handle(signed(words(), robot="robot_2")) == "rejected"
    receiving.refuse = "the robot is not ready"
    assert receiving.receiver.handle(signed(words())) == "rejected"
    assert [state for state, _ in receiving.outcomes()] == ["expired", "rejected", "rejected"]
    assert receiving.outcomes()[2][1] == "the robot is not ready"


def test_expiry_goes_by_the_centers_clock(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "outbox.db", "robot_1")
    late = CommandReceiver(
        CenterClient("http://c"), "robot_1", KEY.public, outbox, lambda *_: None, lambda: None, lambda: 3600.0
    )
    assert late.handle(signed(words())) == "expired"


def entry(identity: str) -> WatchlistEntry:
    return WatchlistEntry(id=identity, kind="document_number", digest="a" * 64)


def update(version: str, entries: list[str], base: str = "", removed: tuple[str, ...] = ()) -> WatchlistUpdate:
    return WatchlistUpdate(
        version=version,
        base_version=base,
        list_expires=datetime.now(UTC) + timedelta(days=1),
        entries=tuple(entry(identity) for identity in entries),
        removed=removed,
    )


def test_a_watch_list_grows_by_deltas_that_fit(tmp_path: Path) -> None:
    path = tmp_path / "watchlist.json"
    assert read_watchlist(path) is None
    with pytest.raises(CommandRefused, match="builds on version '1'"):
        apply_watchlist(path, update("2", ["x"], base="1"), datetime.now(UTC))
    apply_watchlist(path, update("1", ["a", "b"]), datetime.now(UTC))
    apply_watchlist(path, update("2", ["c"], base="1", removed=("a",)), datetime.now(UTC))
    held = read_watchlist(path)
    assert held is not None
    assert (held.version, sorted(item.id for item in held.entries)) == ("2", ["b", "c"])
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_damaged_watch_list_is_named_and_not_built_upon(tmp_path: Path) -> None:
    path = tmp_path / "watchlist.json"
    path.write_text("{")
    with pytest.raises(InputError, match="not a watch-list"):
        read_watchlist(path)
    with pytest.raises(CommandRefused, match="damaged"):
        apply_watchlist(path, update("2", [], base="1"), datetime.now(UTC))
