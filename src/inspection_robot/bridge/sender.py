"""Sends the outbox to the center on its own threads: evidence first while the link keeps up, else findings first.

Order is that of the outbox's sequence, one batch in flight. A batch counts as sent when the center's receipt says so; a
lost answer means that the same batch goes again and the center recognises it. Faults of the way are waited out with
back-off; a batch the center refuses is halved until the one event it cannot take is alone. That one is set aside, still
on disk, and a fault event takes its place in the sequence, so that it holds up nobody and is seen.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

from inspection_contract.client import CenterBusy, CenterClient, CenterError, CenterRefused, SequenceGap
from inspection_contract.events import RobotStatus
from inspection_robot.backoff import Backoff
from inspection_robot.bridge.credentials import Credentials
from inspection_robot.bridge.outbox import Outbox, OutboxError, StoredOutgoing, WaitingEvidence
from inspection_robot.evidence import EvidenceError, EvidenceStore

_LOG = logging.getLogger(__name__)
BATCH_EVENTS = 500
BATCH_BYTES = 2 * 2**20
_CATCHING_UP = 50
"""More waiting events than this, and findings go before evidence."""
_EVIDENCE_PAGE = 16
_UPLOADS = 4


@dataclass(frozen=True)
class LinkState:
    """How the link is."""

    connected: bool = False
    sent: int = 0
    quarantined: int = 0
    refused: int = 0
    clock_offset_s: float = 0.0
    error: str = "not connected yet"


class Sender:
    """Keeps sending until stopped.

    Args:
        client: the center.
        credentials: who signs.
        outbox: what is sent.
        store: evidence.
        status: the robot's present status, asked for every `status_interval_s`.
        backoff: waiting between attempts.
    """

    def __init__(
        self,
        client: CenterClient,
        credentials: Credentials,
        outbox: Outbox,
        store: EvidenceStore,
        status: Callable[[], RobotStatus | None],
        *,
        status_interval_s: float = 1.0,
        backoff: Backoff | None = None,
    ) -> None:
        self._client = client
        self._robot = credentials.robot
        self._key = credentials.key
        self._outbox = outbox
        self._store = store
        self._status = status
        self._status_interval_s = status_interval_s
        self._backoff = backoff or Backoff()
        self._news = threading.Event()
        self._stopping = threading.Event()
        self._batch_limit = BATCH_EVENTS
        self.state = LinkState()
        self._state_lock = threading.Lock()
        self._threads = [
            threading.Thread(target=self._send_events, name="sender", daemon=True),
            threading.Thread(target=self._send_status, name="status", daemon=True),
        ]
        self._uploads = ThreadPoolExecutor(_UPLOADS, "evidence")

    def start(self) -> None:
        """Begin."""
        for thread in self._threads:
            thread.start()

    def wake(self) -> None:
        """There is something to send."""
        self._news.set()

    def stop(self, timeout_s: float = 3.0) -> None:
        """End; what was not acknowledged stays in the outbox."""
        self._stopping.set()
        self._news.set()
        for thread in self._threads:
            thread.join(timeout_s)
        self._uploads.shutdown(wait=False, cancel_futures=True)

    def _send_events(self) -> None:
        while not self._stopping.is_set():
            self._news.clear()
            try:
                idle = self.send_once()
            except (CenterError, OutboxError) as error:
                self._failed(error)
                continue
            self._backoff.succeeded()
            if idle:
                self._news.wait(self._status_interval_s)

    def send_once(self) -> bool:
        """One step of sending; True when nothing is left.

        Raises:
            CenterError: the center cannot be reached, is busy, or refuses this robot.
        """
        batch = self._outbox.waiting_events(self._batch_limit, BATCH_BYTES)
        if not batch:
            self._upload(self._outbox.waiting_evidence(_EVIDENCE_PAGE))
            return self._outbox.state().evidence == 0
        waiting = self._outbox.state().events
        if waiting <= _CATCHING_UP:
            self._upload(self._outbox.waiting_evidence(_EVIDENCE_PAGE, batch[-1].sequence))
        self._send_batch(batch)
        return False

    def _send_batch(self, batch: list[StoredOutgoing]) -> None:
        try:
            receipt = self._client.send_events(
                self._robot, self._key, [event.bytes for event in batch], self._outbox.first_held()
            )
        except SequenceGap as gap:
            # The center lost or never had what comes before (a restored backup): go back as far as we can.
            self._outbox.acknowledge(max(gap.expected, self._outbox.first_held()) - 1)
            return
        except CenterRefused as error:
            if error.status in (401, 403):
                raise
            if len(batch) > 1:
                self._batch_limit = max(1, len(batch) // 2)
            else:
                _LOG.error("event %d is set aside: %s", batch[0].sequence, error)
                self._outbox.set_aside(batch[0].sequence, str(error))
                self._update(refused=self.state.refused + 1)
            return
        self._outbox.acknowledge(receipt.acknowledged)
        self._batch_limit = min(BATCH_EVENTS, self._batch_limit * 2)
        for event in receipt.quarantined:
            _LOG.warning("the center quarantined event %d: %s", event.sequence, event.reason)
        self._update(
            connected=True,
            sent=self.state.sent + receipt.stored,
            quarantined=self.state.quarantined + len(receipt.quarantined),
            clock_offset_s=receipt.clock_offset_s,
            error="",
        )

    def _upload(self, waiting: list[WaitingEvidence]) -> None:
        futures = [self._uploads.submit(self._upload_one, item) for item in waiting]
        for future in futures:
            future.result()

    def _upload_one(self, item: WaitingEvidence) -> None:
        digest = item.reference.sha256
        try:
            data = self._store.get(digest)
        except EvidenceError as error:
            _LOG.warning("%s", error)
            self._outbox.settle_evidence(digest, "missing")
            return
        try:
            self._client.put_evidence(item.reference, data)
        except CenterRefused as error:
            if error.status in (401, 403):
                raise
            _LOG.warning("%s", error)
            self._outbox.settle_evidence(digest, "refused")
            self._update(refused=self.state.refused + 1)
            return
        self._outbox.settle_evidence(digest, "sent")

    def _send_status(self) -> None:
        while not self._stopping.wait(self._status_interval_s):
            try:
                status = self._status()
                if status is None:
                    continue
                self._client.put_status(status)
            except (CenterError, OutboxError) as error:
                self._update(connected=False, error=str(error))
                self._stopping.wait(self._backoff.maximum_s)
            else:
                if not self.state.connected:
                    self._update(connected=True, error="")
                    self.wake()

    def _failed(self, error: CenterError | OutboxError) -> None:
        if self.state.error != str(error):
            _LOG.warning("%s: %s", "outbox" if isinstance(error, OutboxError) else "center", error)
        self._update(connected=False, error=str(error))
        advice = error.retry_after_s if isinstance(error, CenterBusy) else 0.0
        deadline = time.monotonic() + self._backoff.failed(min(advice, self._backoff.maximum_s))
        # News do not shorten the wait: a robot that finds much must not knock more often.
        self._stopping.wait(max(0.0, deadline - time.monotonic()))

    def _update(self, **changes: object) -> None:
        with self._state_lock:
            self.state = replace(self.state, **changes)  # type: ignore[arg-type]  # names of its fields
