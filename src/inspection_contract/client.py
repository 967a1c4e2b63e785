"""The center's client: what the bridge and every other program uses to talk to it.

Every fault of the way becomes one of three errors: `CenterUnreachable` (try again), `CenterBusy` (try again later),
`CenterRefused` (the same request will be refused again).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar
from urllib.parse import urlencode

import httpx
from pydantic import BaseModel, ValidationError

from inspection_contract.commands import SignedCommand
from inspection_contract.envelope import BATCH_MEDIA_TYPE, join_batch
from inspection_contract.events import RobotStatus
from inspection_contract.fields import EvidenceReference
from inspection_contract.receipts import (
    UPLOAD_COMPLETE,
    UPLOAD_OFFSET,
    Enrolment,
    EnrolmentRequest,
    IngestReceipt,
    RobotOverview,
    StoredEvent,
    TokenRotation,
)
from inspection_contract.signatures import SigningKey, request_headers

M = TypeVar("M", bound=BaseModel)
EVENTS_PATH = "/api/v1/events"
PIECE_BYTES = 2**20
"""Evidence longer than this goes in pieces."""
_STREAM_SILENCE_S = 35.0
"""The center says at least every 10 s that it is still there."""


class CenterError(Exception):
    """The center did not do what was asked; one line says why."""


class CenterUnreachable(CenterError):  # noqa: N818 - says what is
    """No connection, or it broke before an answer came: nobody knows whether the request was done."""


class CenterBusy(CenterError):  # noqa: N818 - says what is
    """The center cannot take it now (full disk, database away, too many requests); `retry_after_s` is its advice."""

    def __init__(self, text: str, retry_after_s: float) -> None:
        self.retry_after_s = retry_after_s
        super().__init__(text)


class CenterRefused(CenterError):  # noqa: N818 - says what is
    """The center refuses this request as it is."""

    def __init__(self, status: int, text: str, detail: object = None) -> None:
        self.status = status
        self.detail = detail
        super().__init__(text)


class SequenceGap(CenterRefused):
    """Events are missing before the batch; go on from `expected`."""

    def __init__(self, expected: int) -> None:
        self.expected = expected
        super().__init__(409, f"the center expects sequence {expected}")


@dataclass(frozen=True)
class ServerSentEvent:
    """One message of a stream."""

    event: str
    id: str
    data: str


class CenterClient:
    """A connection to a center.

    Args:
        url: `http(s)://host[:port]`.
        token: bearer token of a robot or service; empty only to enrol.
        certificate: client certificate and key (PEM) where the center demands one.
        authority: certificate authority (PEM) that the center's certificate is checked against; default: the system's.
        timeout_s: of connecting, and of silence while an answer is awaited [s].
    """

    def __init__(
        self,
        url: str,
        token: str = "",
        *,
        certificate: tuple[Path, Path] | None = None,
        authority: Path | None = None,
        timeout_s: float = 10.0,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self.url = url.rstrip("/")
        self._http = httpx.Client(
            base_url=self.url,
            headers={"Authorization": f"Bearer {token}"} if token else {},
            timeout=httpx.Timeout(timeout_s),
            cert=tuple(map(str, certificate)) if certificate else None,  # type: ignore[arg-type]  # a pair is one of its forms
            verify=str(authority) if authority else True,
            transport=transport,
            # The way to the center is configured, not inherited: a proxy of the shell must not see findings.
            trust_env=False,
        )

    def __enter__(self) -> CenterClient:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let the connection go."""
        self._http.close()

    def enrol(self, code: str, key: SigningKey) -> Enrolment:
        """Turn a one-time code into this robot's credentials."""
        body = EnrolmentRequest(code=code, public_key=key.public.to_text()).model_dump_json().encode()
        return _read(Enrolment, self._send("POST", "/api/v1/enrolments", body, {"Content-Type": "application/json"}))

    def rotate_token(self) -> TokenRotation:
        """Ask for a fresh token; the present one holds a while longer."""
        return _read(TokenRotation, self._send("POST", "/api/v1/token", b"", {}))

    def use_token(self, token: str) -> None:
        """Go on with another token."""
        self._http.headers["Authorization"] = f"Bearer {token}"

    def send_events(
        self, robot: str, key: SigningKey, events: Sequence[bytes], outbox_first: int = 1
    ) -> IngestReceipt:  # fmt: skip
        """Send canonical events of one outbox, in order; the receipt is given after the center's commit.

        Raises:
            SequenceGap: the center wants earlier events first.
        """
        body = join_batch(events)
        headers = {
            "Content-Type": BATCH_MEDIA_TYPE,
            "Inspection-Outbox-First": str(outbox_first),
            **request_headers(key, robot=robot, method="POST", path=EVENTS_PATH, body=body),
        }
        return _read(IngestReceipt, self._send("POST", EVENTS_PATH, body, headers))

    def put_evidence(self, reference: EvidenceReference, data: bytes) -> None:
        """Store evidence under its hash. The large goes in pieces; called again after a cut it goes on from there."""
        headers = {"Content-Type": reference.media_type, "Inspection-Retention": reference.retention}
        path = f"/api/v1/blobs/{reference.sha256}"
        if len(data) <= PIECE_BYTES:
            self._send("PUT", path, data, headers)
            return
        offset, complete = _upload_state(self._send("HEAD", path, b"", {}))
        while not complete:
            piece = data[offset : offset + PIECE_BYTES]
            last = offset + len(piece) >= len(data)
            place = {UPLOAD_OFFSET: str(offset), UPLOAD_COMPLETE: "?1" if last else "?0"}
            try:
                offset, complete = _upload_state(self._send("PATCH", path, piece, {**headers, **place}))
            except SequenceGap as moved:  # An earlier request of ours arrived further than we knew.
                offset = moved.expected

    def get_evidence(self, sha256: str) -> bytes:
        """Evidence by its hash."""
        return self._send("GET", f"/api/v1/blobs/{sha256}", b"", {}).content

    def put_status(self, status: RobotStatus) -> None:
        """Say how the robot is."""
        self._send("PUT", "/api/v1/status", status.model_dump_json().encode(), {"Content-Type": "application/json"})

    def put_live_picture(self, camera: str, jpeg: bytes) -> None:
        """Show a live picture to officers who asked for it."""
        self._send("PUT", f"/api/v1/live/{camera}", jpeg, {"Content-Type": "image/jpeg"})

    def put_layer(self, layer: str, png: bytes, resolution_m: float, west_m: float, south_m: float) -> None:
        """Show a map layer on the floor plan: a grey PNG, north up, and where its lower left corner lies in `map`."""
        place = urlencode({"resolution": resolution_m, "west": west_m, "south": south_m})
        self._send("PUT", f"/api/v1/layers/{layer}?{place}", png, {"Content-Type": "image/png"})

    def events(self, after: int = 0, limit: int = 100) -> list[StoredEvent]:
        """Stored events after a cursor, oldest first."""
        answer = self._send("GET", f"{EVENTS_PATH}?after={after}&limit={limit}", b"", {})
        return [_validate(StoredEvent, item) for item in _json(answer)]

    def stream_events(self, after: int | None = None) -> Iterator[StoredEvent]:
        """Stored events as they arrive, for ever; ends only with an error. Go on with the last event's `number`.

        Raises:
            CenterUnreachable: the stream broke.
        """
        query = "" if after is None else f"?after={after}"
        for message in self._stream(f"{EVENTS_PATH}/stream{query}"):
            yield _parse(StoredEvent, message.data)

    def stream_commands(self, after: int) -> Iterator[SignedCommand]:
        """Commands for this robot after a cursor, as they are given. Check each signature before obeying."""
        for message in self._stream(f"/api/v1/commands/stream?after={after}"):
            yield _parse(SignedCommand, message.data)

    def robots(self) -> list[RobotOverview]:
        """Every robot with its last status."""
        return [_validate(RobotOverview, item) for item in _json(self._send("GET", "/api/v1/robots", b"", {}))]

    def watch(self, entries: Sequence[Mapping[str, str]]) -> None:
        """Add entries (id, kind, identifier and so on) to the watch-list and send it to every robot."""
        body = json.dumps({"entries": list(entries)}).encode()
        headers = {"Content-Type": "application/json"}
        self._send("POST", "/api/v1/watchlist/entries", body, headers)
        self._send("POST", "/api/v1/watchlist/publication", b"", {})

    def ready(self) -> bool:
        """Whether the center can take a finding now."""
        try:
            return self._http.get("/health/ready").status_code == 200
        except httpx.HTTPError:
            return False

    def _send(self, method: str, path: str, body: bytes, headers: dict[str, str]) -> httpx.Response:
        try:
            answer = self._http.request(method, path, content=body, headers=headers)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise CenterUnreachable(f"{self.url}: {_fault(error)}") from error
        _check(answer)
        return answer

    def _stream(self, path: str) -> Iterator[ServerSentEvent]:
        timeout = httpx.Timeout(10.0, read=_STREAM_SILENCE_S)
        try:
            with self._http.stream("GET", path, headers={"Accept": "text/event-stream"}, timeout=timeout) as answer:
                if answer.status_code != 200:
                    answer.read()
                    _check(answer)
                yield from parse_stream(answer.iter_lines())
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError) as error:
            raise CenterUnreachable(f"{self.url}: {_fault(error)}") from error
        raise CenterUnreachable(f"{self.url}: the stream ended")


def parse_stream(lines: Iterator[str]) -> Iterator[ServerSentEvent]:
    """Messages of a server-sent event stream (WHATWG HTML, 9.2.6), without the reconnection time field."""
    event, identity, data = "", "", list[str]()
    for line in lines:
        if not line:
            if data:
                yield ServerSentEvent(event, identity, "\n".join(data))
            event, data = "", []
            continue
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if field == "data":
            data.append(value)
        elif field == "event":
            event = value
        elif field == "id":
            identity = value


def _upload_state(answer: httpx.Response) -> tuple[int, bool]:
    offset = answer.headers.get(UPLOAD_OFFSET, "")
    if not (offset.isascii() and offset.isdigit()):
        raise CenterUnreachable(f"{answer.request.url}: an answer without {UPLOAD_OFFSET}")
    return int(offset), answer.headers.get(UPLOAD_COMPLETE) == "?1"


def _check(answer: httpx.Response) -> None:
    if answer.is_success:
        return
    try:
        detail: Any = answer.json().get("detail")
    except (ValueError, AttributeError):
        detail = None
    text = f"{answer.request.method} {answer.request.url.path}: {answer.status_code} {detail or answer.reason_phrase}"
    if answer.status_code in (429, 502, 503, 504):
        advice = answer.headers.get("retry-after", "")
        raise CenterBusy(text, float(advice) if advice.isdigit() else 1.0)
    if answer.status_code >= 500:
        raise CenterBusy(text, 5.0)
    if answer.status_code == 409 and isinstance(detail, dict) and isinstance(detail.get("expected"), int):
        raise SequenceGap(detail["expected"])
    raise CenterRefused(answer.status_code, text, detail)


def _json(answer: httpx.Response) -> Any:
    try:
        return answer.json()
    except ValueError as error:
        raise CenterUnreachable(f"{answer.request.url}: the answer is not JSON") from error


def _read(model: type[M], answer: httpx.Response) -> M:
    return _parse(model, answer.text)


def _parse(model: type[M], text: str) -> M:
    try:
        return model.model_validate_json(text)
    except ValidationError as error:
        raise CenterUnreachable(f"an answer that is no {model.__name__}") from error


def _validate(model: type[M], value: object) -> M:
    return _parse(model, json.dumps(value))


def _fault(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
