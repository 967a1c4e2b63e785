"""Takes the center's commands: checked against the center's key, refused when expired, applied once, acknowledged.

The cursor moves in the same commit as the acknowledgement enters the outbox. A crash between applying and that commit
applies the command again: orders and announcements carry an id (and revision) by which their receivers know them.
"""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import NAMESPACE_OID, uuid5

from pydantic import ValidationError

from inspection_contract.client import CenterClient, CenterError
from inspection_contract.commands import COMMAND_TYPES, Command, SignedCommand
from inspection_contract.envelope import first_fault
from inspection_contract.events import CommandOutcome
from inspection_contract.signatures import SignatureError, VerifyKey, command_bytes
from inspection_robot.backoff import Backoff
from inspection_robot.bridge.outbox import Outbox, OutboxError, OutgoingEvent

_LOG = logging.getLogger(__name__)


class CommandRefused(Exception):  # noqa: N818 - says what is
    """A command the robot does not carry out; one line says why."""


@dataclass(frozen=True)
class CommandCheck:
    """A command that may be obeyed, or the state and reason it ends with."""

    body: Command | None
    state: str = "applied"
    reason: str = ""


def check_command(command: SignedCommand, robot: str, key: VerifyKey, now: datetime) -> CommandCheck:
    """Check a command before obeying it: signature, addressee, expiry, type and content."""
    dumped = command.model_dump(mode="json")
    try:
        key.verify(
            command_bytes(
                id=dumped["id"],
                robot=command.robot,
                type=command.type,
                issued=dumped["issued"],
                expires=dumped["expires"],
                data=command.data,
            ),
            command.signature,
        )
    except SignatureError as error:
        return CommandCheck(None, "rejected", str(error))
    if command.robot != robot:
        return CommandCheck(None, "rejected", "addressed to another robot")
    if now > command.expires:
        return CommandCheck(None, "expired", f"it was good until {dumped['expires']}")
    model = COMMAND_TYPES.get(command.type)
    if model is None:
        return CommandCheck(None, "rejected", f"this robot does not know {command.type}")
    try:
        return CommandCheck(model.model_validate_json(_json(command)))
    except ValidationError as error:
        return CommandCheck(None, "rejected", first_fault(error))


class CommandReceiver:
    """Listens for commands until stopped.

    Args:
        client: the center.
        robot: this robot's name.
        key: the center's key, learnt at enrolment.
        outbox: holds the cursor and takes the acknowledgements.
        apply: carries a command out; raises `CommandRefused` to refuse.
        acknowledged: called after each acknowledgement, to send it.
        offset_s: the center's clock minus ours [s], so that a wrong clock lets nothing expire early or late.
    """

    def __init__(
        self,
        client: CenterClient,
        robot: str,
        key: VerifyKey,
        outbox: Outbox,
        apply: Callable[[Command, SignedCommand], None],
        acknowledged: Callable[[], None],
        offset_s: Callable[[], float] = lambda: 0.0,
    ) -> None:
        self._client = client
        self._robot = robot
        self._key = key
        self._outbox = outbox
        self._apply = apply
        self._acknowledged = acknowledged
        self._offset_s = offset_s
        self._backoff = Backoff()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="commands", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End; the thread leaves its stream when the client is closed or the center next speaks."""
        self._stopping.set()

    def handle(self, command: SignedCommand) -> str:
        """Deal with one command and return the state it ends in.

        Raises:
            OutboxError: the acknowledgement could not be kept; the command will come again.
        """
        if self._outbox.was_applied(command.id):
            return "applied"
        now = datetime.fromtimestamp(datetime.now(UTC).timestamp() + self._offset_s(), UTC)
        check = check_command(command, self._robot, self._key, now)
        state, reason = check.state, check.reason
        if check.body is not None:
            try:
                self._apply(check.body, command)
            except CommandRefused as error:
                state, reason = "rejected", str(error)
        outcome = CommandOutcome.model_validate(
            {"command_id": command.id, "stamp": datetime.now(UTC), "state": state, "reason": reason[:2000]}
        )
        identity = uuid5(NAMESPACE_OID, f"outcome:{command.id}")
        self._outbox.settle_command(command.offset, command.id, OutgoingEvent(identity, outcome))
        self._acknowledged()
        return state

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                for command in self._client.stream_commands(self._outbox.command_cursor()):
                    self._backoff.succeeded()
                    if self._stopping.is_set():
                        return
                    self.handle(command)
            except (CenterError, OutboxError) as error:
                _LOG.debug("commands: %s", error)
            self._stopping.wait(self._backoff.failed())


def _json(command: SignedCommand) -> str:
    return json.dumps(command.data)
