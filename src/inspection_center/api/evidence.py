"""Where robots bring evidence: whole, or in pieces that a cut does not undo."""

from __future__ import annotations

import re
from typing import Annotated

from fastapi import APIRouter, Header, HTTPException, Path, Request, Response
from fastapi.concurrency import run_in_threadpool
from sqlalchemy import insert, select, update
from starlette.requests import ClientDisconnect

from inspection_center.api.bodies import limited
from inspection_center.api.ingest import ROBOT_PROBLEMS, Robot, write
from inspection_center.blobs import BlobError
from inspection_center.clock import now_text
from inspection_center.database import schema
from inspection_center.database.writer import StorageError, Transaction
from inspection_center.service import Center, center_of, unavailable
from inspection_center.uploads import OffsetError
from inspection_contract.receipts import UPLOAD_COMPLETE, UPLOAD_OFFSET

router = APIRouter(prefix="/api/v1", tags=["robot"])
Digest = Annotated[str, Path(pattern=r"^[0-9a-f]{64}$")]
Retention = Annotated[str, Header(alias="Inspection-Retention", max_length=32)]
_MEDIA_TYPE = re.compile(r"[a-z]+/[a-z0-9][a-z0-9.+-]{0,100}")
_RETENTION = re.compile(r"[a-z]{1,32}")
_MAXIMUM_OFFSET = 2**40


@router.put("/blobs/{sha256}", responses=ROBOT_PROBLEMS, status_code=201)
async def put_evidence(
    request: Request, robot: Robot, sha256: Digest, inspection_retention: Retention = "routine"
) -> Response:
    """Store evidence under its hash. The same bytes again are accepted and cost nothing."""
    center = center_of(request)
    media_type = _checked(request, inspection_retention)
    limit_bytes = center.settings.maximum_evidence_bytes
    try:
        size = await center.blobs.put(sha256, limited(request, limit_bytes), limit_bytes)
    except BlobError as error:
        raise HTTPException(error.status, str(error)) from error
    except StorageError as error:
        raise unavailable(error) from error
    await _remember(center, robot.name, sha256, media_type, size, inspection_retention)
    return Response(status_code=201)


@router.head("/blobs/{sha256}", responses={401: {}, 403: {}, 422: {}}, status_code=204)
async def look_at_upload(request: Request, robot: Robot, sha256: Digest) -> Response:
    """How much of a piece of evidence is here: `Upload-Offset`, and whether that is all: `Upload-Complete`."""
    center = center_of(request)
    size = await run_in_threadpool(_stored_size, center, sha256)
    if size is None:
        size, complete = center.uploads.offset(robot.name, sha256), "?0"
    else:
        complete = "?1"
    return Response(status_code=204, headers={UPLOAD_OFFSET: str(size), UPLOAD_COMPLETE: complete})


@router.patch(
    "/blobs/{sha256}",
    responses={**ROBOT_PROBLEMS, 409: {"description": "Go on from `detail.expected`."}},
    status_code=204,
)
async def add_to_upload(
    request: Request,
    robot: Robot,
    sha256: Digest,
    upload_offset: Annotated[int, Header(ge=0, le=_MAXIMUM_OFFSET)],
    upload_complete: Annotated[str, Header(pattern=r"^\?[01]$")] = "?0",
    inspection_retention: Retention = "routine",
) -> Response:
    """Add a piece at an offset. With the last one the hash is checked; bytes of another hash are thrown away."""
    center = center_of(request)
    media_type = _checked(request, inspection_retention)
    limit_bytes = center.settings.maximum_evidence_bytes
    name, uploads = robot.name, center.uploads
    try:
        size = await uploads.append(name, sha256, upload_offset, limited(request, limit_bytes), limit_bytes)
        if upload_complete == "?1":
            size = await center.blobs.put(sha256, uploads.pieces(name, sha256), limit_bytes)
    except OffsetError as error:
        raise HTTPException(409, {"expected": error.expected}) from error
    except BlobError as error:
        uploads.discard(name, sha256)
        raise HTTPException(error.status, str(error)) from error
    except StorageError as error:
        raise unavailable(error) from error
    except ClientDisconnect:
        return Response(status_code=400)  # Nobody is there to read it; what came is kept.
    if upload_complete == "?1":
        await _remember(center, name, sha256, media_type, size, inspection_retention)
        uploads.discard(name, sha256)
    return Response(status_code=204, headers={UPLOAD_OFFSET: str(size), UPLOAD_COMPLETE: upload_complete})


def _checked(request: Request, retention: str) -> str:
    media_type = request.headers.get("content-type", "application/octet-stream")
    if not _MEDIA_TYPE.fullmatch(media_type):
        raise HTTPException(415, "Content-Type: not a plain media type")
    if not _RETENTION.fullmatch(retention):
        raise HTTPException(422, "Inspection-Retention: not a retention class")
    return media_type


def _stored_size(center: Center, sha256: str) -> int | None:
    blob = schema.blob
    with center.engine.connect() as connection:
        size = connection.execute(
            select(blob.c.size_bytes).where(blob.c.sha256 == sha256, blob.c.removed.is_(None))
        ).scalar()
    return None if size is None else int(size)


async def _remember(center: Center, robot: str, sha256: str, media_type: str, size: int, retention: str) -> None:
    def job(transaction: Transaction) -> None:
        blob = schema.blob
        values = {"removed": None, "received": now_text()}
        if transaction.connection.execute(update(blob).where(blob.c.sha256 == sha256).values(**values)).rowcount == 0:
            transaction.connection.execute(
                insert(blob).values(
                    sha256=sha256,
                    media_type=media_type,
                    size_bytes=size,
                    retention=retention,
                    robot=robot,
                    **values,
                )
            )

    await write(center, job)
