"""What the robots answer travellers: updates of their knowledge base, signed like every command."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import select

from inspection_center.api.officers import PROBLEMS
from inspection_center.audit.log import record
from inspection_center.auth.identity import require
from inspection_center.auth.permissions import Principal
from inspection_center.commands.issuing import issue
from inspection_center.database import schema
from inspection_center.database.writer import Transaction
from inspection_center.orders import check_robot
from inspection_center.service import center_of
from inspection_contract.commands import KnowledgeUpdate
from inspection_contract.fields import RobotName
from inspection_contract.signatures import SigningKey

router = APIRouter(prefix="/api/v1", tags=["answers"])
Writer = Annotated[Principal, Depends(require("answers.write"))]
_LIFE = timedelta(days=7)


class NewKnowledge(BaseModel):
    """An update of the answers; to all robots when none is named."""

    model_config = ConfigDict(extra="forbid")

    robots: Annotated[list[RobotName], Field(max_length=1000)] = []
    update: KnowledgeUpdate


@router.post("/knowledge-updates", responses=PROBLEMS, status_code=202)
async def update_knowledge(request: Request, officer: Writer, given: NewKnowledge) -> dict[str, list[str]]:
    """Send robots other answers. Each robot checks the update against what it holds and tells what became of it."""
    center = center_of(request)
    names = await center.write(
        lambda transaction: send(transaction, center.key, officer, given.robots, given.update)
    )  # fmt: skip
    for name in names:
        center.ring(name)
    return {"robots": names}


def send(
    transaction: Transaction, key: SigningKey, officer: Principal, robots: list[str], update: KnowledgeUpdate
) -> list[str]:
    """Issue an update to some robots, to all when none is named; returns the robots.

    Raises:
        NotFound: there is no such robot.
    """
    connection = transaction.connection
    names = robots or [
        str(row[0]) for row in connection.execute(select(schema.robot.c.name).where(~schema.robot.c.revoked))
    ]
    for name in names:
        check_robot(connection, name)
        issue(transaction, key, name, update, officer.name, _LIFE)
    changed = {
        "version": update.version, "entries": [entry.id for entry in update.entries], "removed": list(update.removed)
    }  # fmt: skip
    record(transaction, officer.actor, "knowledge.updated", ",".join(names), **changed)
    return names
