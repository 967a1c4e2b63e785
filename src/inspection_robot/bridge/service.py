"""The bridge without ROS: takes events, keeps them, sends them, takes commands. The node wires it to topics."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from inspection_contract.client import CenterClient, CenterError
from inspection_contract.commands import Command, SignedCommand
from inspection_contract.errors import InputError
from inspection_contract.events import RobotStatus
from inspection_robot.backoff import Backoff
from inspection_robot.bridge.acceptance import Acceptance
from inspection_robot.bridge.commands import CommandReceiver
from inspection_robot.bridge.credentials import Credentials, read_credentials, write_credentials
from inspection_robot.bridge.disk import DiskPolicy, enforce
from inspection_robot.bridge.outbox import Outbox, OutboxError, OutgoingEvent
from inspection_robot.bridge.sender import LinkState, Sender
from inspection_robot.evidence import EvidenceStore

_LOG = logging.getLogger(__name__)
_LOOK_FOR_CREDENTIALS_S = 1.0
_KEEP_HOUSE_S = 30.0
_TOKEN_LIFE_S = 30 * 86_400.0


@dataclass(frozen=True)
class BridgeSettings:
    """Where things lie and how hard to try.

    Attributes:
        robot: the robot's name.
        outbox: database file.
        evidence: folder of the evidence store.
        credentials: file written at enrolment; waited for when it is not there yet.
        disk: how much may be kept.
        retry_maximum_s: longest pause between attempts [s].
        status_interval_s: between reports of the robot's status [s].
        certificate: client certificate and key where the center demands one.
        authority: certificate authority of the center.
    """

    robot: str
    outbox: Path
    evidence: Path
    credentials: Path
    disk: DiskPolicy
    retry_maximum_s: float = 5.0
    status_interval_s: float = 1.0
    certificate: tuple[Path, Path] | None = None
    authority: Path | None = None


@dataclass(frozen=True)
class BridgeReport:
    """How the bridge fares; `fault` is why nothing can be accepted, `link` how the center is reached."""

    link: LinkState
    events: int
    evidence: int
    disk_bytes: int
    oldest_unsent_s: float
    last_sequence: int
    fault: str
    given_up: int


class Bridge:
    """Runs the outbox, its sender and the receiver of commands.

    Args:
        settings: where things lie.
        apply: carries a command out (raises `CommandRefused`); called on the receiver's thread.
        status: the robot's present status without the outbox's figures; None while there is none.

    Raises:
        InputError: the outbox or the evidence folder cannot be used.
    """

    def __init__(
        self,
        settings: BridgeSettings,
        apply: Callable[[Command, SignedCommand], None],
        status: Callable[[], RobotStatus | None],
    ) -> None:
        self._settings = settings
        self._apply = apply
        self._robot_status = status
        self.outbox = Outbox(settings.outbox, settings.robot)
        self.store = EvidenceStore(settings.evidence)
        self._acceptance = Acceptance(self.outbox, self._accepted, self._make_room)
        self._clients: list[CenterClient] = []
        self._sender: Sender | None = None
        self._receiver: CommandReceiver | None = None
        self._credentials_fault = "not enrolled"
        self._evidence_bytes = 0
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._keep_house, name="bridge", daemon=True)

    def start(self) -> None:
        """Begin; without credentials, findings are kept until they come."""
        self._thread.start()

    def offer(self, event: OutgoingEvent) -> None:
        """Take an event; returns at once. It is accepted when it is in the outbox."""
        self._acceptance.offer(event)

    def report(self) -> BridgeReport:
        """How the bridge fares."""
        state = self.outbox.state()
        link = self._sender.state if self._sender else LinkState(error=self._credentials_fault)
        oldest = state.oldest_accepted
        return BridgeReport(
            link=link,
            events=state.events + self._acceptance.waiting,
            evidence=state.evidence,
            disk_bytes=self.outbox.disk_bytes() + self._evidence_bytes,
            oldest_unsent_s=0.0 if oldest is None else max(0.0, time.time() - oldest),
            last_sequence=state.last_sequence,
            fault=self._acceptance.fault,
            given_up=self._acceptance.given_up,
        )

    def client(self) -> CenterClient | None:
        """The connection for whoever has something of its own to send (live pictures); None before enrolment."""
        return self._clients[0] if self._clients else None

    def stop(self) -> None:
        """End in order: commit what waits, stop sending, close."""
        self._stopping.set()
        self._acceptance.stop()
        if self._receiver is not None:
            self._receiver.stop()
        if self._sender is not None:
            self._sender.stop()
        for client in self._clients:
            client.close()
        if self._thread.is_alive():
            self._thread.join(2.0)
        self.outbox.close()

    def _accepted(self, new: int) -> None:
        if new and self._sender is not None:
            self._sender.wake()

    def _make_room(self) -> None:
        enforce(self.outbox, self.store, self._settings.disk, full=True)

    def _keep_house(self) -> None:
        next_time = 0.0
        while not self._stopping.wait(_LOOK_FOR_CREDENTIALS_S):
            try:
                if self._sender is None:
                    self._connect()
                if time.monotonic() >= next_time:
                    next_time = time.monotonic() + _KEEP_HOUSE_S
                    enforce(self.outbox, self.store, self._settings.disk)
                    self._evidence_bytes = self.store.total_bytes()
                    self._renew_token()
            except (InputError, OutboxError, OSError, CenterError) as error:
                _LOG.warning("%s", error)

    def _connect(self) -> None:
        settings = self._settings
        if not settings.credentials.exists():
            return
        try:
            credentials = read_credentials(settings.credentials)
        except InputError as error:
            self._credentials_fault = str(error)
            return
        if credentials.robot != settings.robot:
            self._credentials_fault = f"{settings.credentials} belongs to {credentials.robot}, this is {settings.robot}"
            return
        # Commands have a connection of their own: their stream is open for ever.
        events, commands = self._open(credentials), self._open(credentials)
        self._clients = [events, commands]
        self._sender = Sender(
            events,
            credentials,
            self.outbox,
            self.store,
            self._status,
            status_interval_s=settings.status_interval_s,
            backoff=Backoff(maximum_s=settings.retry_maximum_s),
        )
        self._receiver = CommandReceiver(
            commands,
            credentials.robot,
            credentials.center_verify_key,
            self.outbox,
            self._apply,
            self._sender.wake,
            self._clock_offset,
        )
        self._sender.start()
        self._receiver.start()

    def _open(self, credentials: Credentials) -> CenterClient:
        return CenterClient(
            credentials.center,
            credentials.token,
            certificate=self._settings.certificate,
            authority=self._settings.authority,
        )

    def _renew_token(self) -> None:
        path = self._settings.credentials
        if not self._clients or not path.exists() or time.time() - path.stat().st_mtime < _TOKEN_LIFE_S:
            return
        credentials = read_credentials(path)
        rotation = self._clients[0].rotate_token()
        write_credentials(path, credentials.with_token(rotation.token))
        for client in self._clients:
            client.use_token(rotation.token)

    def _clock_offset(self) -> float:
        return self._sender.state.clock_offset_s if self._sender else 0.0

    def _status(self) -> RobotStatus | None:
        status = self._robot_status()
        if status is None:
            return None
        report = self.report()
        return status.model_copy(
            update={
                "outbox_findings": report.events,
                "outbox_evidence": report.evidence,
                "outbox_bytes": report.disk_bytes,
                "oldest_unsent_s": report.oldest_unsent_s,
            }
        )
