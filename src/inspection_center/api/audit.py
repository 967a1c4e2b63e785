"""Checkpoints and proofs of the audit log, for auditors who keep and check them elsewhere."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Request
from pydantic import BaseModel
from sqlalchemy import select

from inspection_center.api.officers import PROBLEMS
from inspection_center.audit import merkle
from inspection_center.audit.log import read_node
from inspection_center.auth.identity import require
from inspection_center.auth.permissions import Principal
from inspection_center.database import schema
from inspection_center.problems import NotFound
from inspection_center.service import center_of

router = APIRouter(prefix="/api/v1/audit", tags=["audit"])
Auditor = Annotated[Principal, Depends(require("audit.read"))]


class CheckpointBody(BaseModel):
    """A signed state of the log. Whoever keeps it can later prove that nothing before it was changed."""

    size: int
    root: str
    time: str
    signature: str
    key: str


class InclusionProof(BaseModel):
    """Audit path of an entry to the root of the newest checkpoint (RFC 6962, 2.1.1)."""

    leaf: int
    leaf_hash: str
    path: list[str]
    checkpoint: CheckpointBody


@router.get("/checkpoint", responses=PROBLEMS)
def newest_checkpoint(request: Request, _auditor: Auditor) -> CheckpointBody:
    """The newest checkpoint."""
    center = center_of(request)
    table = schema.audit_checkpoint
    with center.engine.connect() as connection:
        row = connection.execute(select(table).order_by(table.c.size.desc()).limit(1)).first()
    if row is None:
        raise NotFound("nothing was signed yet")
    return CheckpointBody(
        size=row.size, root=row.root, time=row.time, signature=row.signature, key=center.key.public.to_text()
    )


@router.get("/{leaf}/proof", responses=PROBLEMS)
def prove_inclusion(
    request: Request, auditor: Auditor, leaf: Annotated[int, Path(ge=0, le=2**53 - 1)]
) -> InclusionProof:
    """Prove that an entry is part of the newest checkpoint."""
    checkpoint = newest_checkpoint(request, auditor)
    if leaf >= checkpoint.size:
        raise NotFound("this entry is not signed yet")
    with center_of(request).engine.connect() as connection:
        path = merkle.inclusion_proof(
            leaf, checkpoint.size, lambda level, position: read_node(connection, level, position)
        )
        digest = connection.execute(select(schema.audit.c.leaf_hash).where(schema.audit.c.leaf == leaf)).scalar_one()
    return InclusionProof(leaf=leaf, leaf_hash=digest, path=[step.hex() for step in path], checkpoint=checkpoint)
