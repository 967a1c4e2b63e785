"""Where robots report: enrolment, batches of events, evidence, status."""

from __future__ import annotations

import base64
import secrets as random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Annotated, TypeVar

from fastapi import APIRouter, Depends, Header, HTTPException, Request, Response
from fastapi.concurrency import run_in_threadpool
from pydantic import ValidationError
from sqlalchemy import insert, select, update

from inspection_center.api.bodies import read_body
from inspection_center.audit.log import record
from inspection_center.auth.identity import require
from inspection_center.auth.permissions import Principal
from inspection_center.auth.secrets import new_token, token_hash
from inspection_center.clock import now, now_text, text
from inspection_center.commands.doorbell import ALERTS
from inspection_center.database import schema
from inspection_center.database.writer import StorageError, Transaction
from inspection_center.ingest.reading import BatchError, read_batch
from inspection_center.ingest.storing import Arrival, SequenceGapError, store_batch
from inspection_center.live import MAXIMUM_BYTES, Camera
from inspection_center.service import Center, center_of, unavailable
from inspection_contract.envelope import BATCH_MEDIA_TYPE, MAXIMUM_EVENT_BYTES, first_fault
from inspection_contract.events import RobotStatus
from inspection_contract.receipts import Enrolment, EnrolmentRequest, IngestReceipt, TokenRotation
from inspection_contract.signatures import SignatureError, VerifyKey, verify_request

T = TypeVar("T")
router = APIRouter(prefix="/api/v1", tags=["robot"])
Robot = Annotated[Principal, Depends(require("robot.report"))]
_ONE_TOKEN_AFTER = timedelta(hours=1)
_INLINE_BODY_BYTES = 2**18
"""Read at once: handing three milliseconds of work to another thread costs more than it frees."""
_Problem = {"description": "Refused; `detail` says why in one line."}
ROBOT_PROBLEMS: dict[int | str, dict[str, str]] = dict.fromkeys((400, 401, 403, 413, 415, 422, 503), _Problem)


@router.post("/enrolments", responses=dict.fromkeys((400, 403, 409, 503), _Problem), status_code=201)
async def enrol(request: Request, introduction: EnrolmentRequest) -> Enrolment:
    """Turn a one-time code into a robot's token. Public: the code is the credential."""
    center = center_of(request)
    try:
        VerifyKey.from_text(introduction.public_key)
    except SignatureError as error:
        raise HTTPException(400, f"public_key: {error}") from error
    token, watchlist_key = new_token("robot"), random.token_bytes(32)

    def job(transaction: Transaction) -> str:
        connection = transaction.connection
        code = schema.enrolment
        row = connection.execute(
            select(code.c.robot).where(
                code.c.code_hash == token_hash(introduction.code), code.c.used.is_(None), code.c.expires > now_text()
            )
        ).first()
        if row is None:
            raise HTTPException(403, "this code was never given out, is used, or is too old")
        name = str(row[0])
        connection.execute(
            update(code).where(code.c.code_hash == token_hash(introduction.code)).values(used=now_text())
        )
        values = {
            "token_hash": token_hash(token),
            "previous_token_hash": None,
            "previous_token_expires": None,
            "public_key": introduction.public_key,
            "watchlist_key": watchlist_key,
            "enrolled": now_text(),
            "revoked": False,
        }
        robot = schema.robot
        if connection.execute(update(robot).where(robot.c.name == name).values(**values)).rowcount == 0:
            connection.execute(insert(robot).values(name=name, **values))
        record(transaction, f"robot:{name}", "robot.enrolled", name)
        return name

    name = await write(center, job)
    return Enrolment(
        robot=name,
        token=token,
        center_key=center.key.public.to_text(),
        watchlist_key=base64.urlsafe_b64encode(watchlist_key).rstrip(b"=").decode(),
    )


@router.post("/token", responses=ROBOT_PROBLEMS)
async def rotate_token(request: Request, robot: Robot) -> TokenRotation:
    """Give a robot a fresh token; the old one holds for another hour, so that a lost answer locks nobody out."""
    token, expires = new_token("robot"), now() + _ONE_TOKEN_AFTER

    def job(transaction: Transaction) -> None:
        table = schema.robot
        transaction.connection.execute(
            update(table)
            .where(table.c.name == robot.name)
            .values(
                previous_token_hash=table.c.token_hash,
                previous_token_expires=text(expires),
                token_hash=token_hash(token),
            )
        )
        record(transaction, robot.actor, "robot.token_rotated", robot.name)

    await write(center_of(request), job)
    return TokenRotation(token=token, previous_expires=expires)


@router.post(
    "/events",
    responses={
        **ROBOT_PROBLEMS,
        409: {"description": "Events are missing before this batch: go on from `detail.expected`."},
    },
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {BATCH_MEDIA_TYPE: {"schema": {"type": "array", "items": {"type": "object"}}}},
        }
    },
)
async def report_events(
    request: Request,
    robot: Robot,
    content_digest: Annotated[str, Header(max_length=200)] = "",
    signature_input: Annotated[str, Header(max_length=400)] = "",
    signature: Annotated[str, Header(max_length=200)] = "",
    inspection_outbox_first: Annotated[int, Header(ge=1, le=2**53 - 1, description="Lowest sequence still held.")] = 1,
) -> IngestReceipt:
    """Store a signed batch of CloudEvents, exactly once and in order. The answer is given after the commit."""
    center = center_of(request)
    if request.headers.get("content-type", "").split(";")[0].strip().lower() != BATCH_MEDIA_TYPE:
        raise HTTPException(415, f"the body must be {BATCH_MEDIA_TYPE}")
    body = await read_body(request, center.settings.maximum_batch_bytes)
    received = datetime.now(UTC)
    try:
        signed = verify_request(
            VerifyKey.from_text(robot.public_key),
            method="POST",
            path=request.url.path,
            body=body,
            digest=content_digest,
            signature_input=signature_input,
            signature=signature,
        )
        if signed.robot != robot.name:
            raise SignatureError("signed by another robot")
    except SignatureError as error:
        raise HTTPException(400, str(error)) from error
    try:
        if len(body) <= _INLINE_BODY_BYTES:
            batch = read_batch(body, robot.name, signed.created)
        else:
            batch = await run_in_threadpool(read_batch, body, robot.name, signed.created)
    except BatchError as error:
        raise HTTPException(422, str(error)) from error
    # `created` counts whole seconds: on average it lies half a second before the moment of signing.
    offset_s = (received - signed.created).total_seconds() - 0.5
    arrival = Arrival(received, offset_s, inspection_outbox_first)

    def job(transaction: Transaction) -> IngestReceipt:
        transaction.after_commit.append(center.tell_events)
        if batch.concerns_alerts:
            transaction.after_commit.append(lambda: center.ring(ALERTS))
        return store_batch(transaction, batch, arrival, center.vault)

    try:
        return await write(center, job)
    except SequenceGapError as error:
        raise HTTPException(409, {"expected": error.expected}) from error


@router.put("/status", responses=ROBOT_PROBLEMS, status_code=204)
async def report_status(request: Request, robot: Robot) -> Response:
    """Say how the robot is. Only the newest counts; nothing is queued."""
    center = center_of(request)
    body = await read_body(request, MAXIMUM_EVENT_BYTES)
    try:
        status = RobotStatus.model_validate_json(body)
    except ValidationError as error:
        raise HTTPException(422, first_fault(error)) from error

    def job(transaction: Transaction) -> None:
        transaction.connection.execute(
            update(schema.robot)
            .where(schema.robot.c.name == robot.name)
            .values(last_seen=now_text(), status=status.model_dump_json())
        )

    await write(center, job)
    return Response(status_code=204)


@router.put(
    "/live/{camera}",
    responses=ROBOT_PROBLEMS,
    status_code=204,
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {"image/jpeg": {"schema": {"type": "string", "format": "binary"}}},
        }
    },
)
async def put_live_picture(request: Request, robot: Robot, camera: Camera) -> Response:
    """Show a picture that an officer asked for. It is kept in memory only."""
    picture = await read_body(request, MAXIMUM_BYTES)
    if not center_of(request).show(robot.name, camera, picture):
        raise HTTPException(415, "not a JPEG")
    return Response(status_code=204)


async def write(center: Center, job: Callable[[Transaction], T]) -> T:
    """Run a job on the writer; a storage fault is told to the robot as 503."""
    try:
        return await center.write(job)
    except StorageError as error:
        raise unavailable(error) from error
