"""Issue a command: validated, signed by the center, numbered; the robot's stream picks it up."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import Engine, insert, select, update

from inspection_center.clock import now, now_text, text
from inspection_center.database import schema
from inspection_center.database.engine import row_dict
from inspection_center.database.writer import Transaction
from inspection_contract.commands import Command, SignedCommand
from inspection_contract.signatures import SigningKey, command_bytes


def issue(
    transaction: Transaction, key: SigningKey, robot: str, body: Command, issued_by: str, life: timedelta
) -> UUID:
    """Store a signed command for one robot inside a transaction and return its id."""
    identity = uuid4()
    issued = now()
    data: dict[str, Any] = body.model_dump(mode="json")
    times = {"issued": text(issued), "expires": text(issued + life)}
    signature = key.sign(command_bytes(id=str(identity), robot=robot, type=body.TYPE, data=data, **times))
    transaction.connection.execute(
        insert(schema.command).values(
            id=str(identity),
            robot=robot,
            type=body.TYPE,
            data=json.dumps(data, ensure_ascii=False),
            signature=signature,
            issued_by=issued_by,
            state="issued",
            state_time=times["issued"],
            reason="",
            **times,
        )
    )
    return identity


def commands_after(engine: Engine, robot: str, number: int, limit: int = 100) -> list[SignedCommand]:
    """A robot's commands after a cursor that are not expired, oldest first."""
    table = schema.command
    with engine.connect() as connection:
        rows = connection.execute(
            select(table)
            .where(table.c.robot == robot, table.c.number > number, table.c.expires > now_text())
            .order_by(table.c.number)
            .limit(limit)
        )
        return [_signed(row_dict(row)) for row in rows]


def expire(transaction: Transaction) -> int:
    """Mark the commands that no robot took in time; returns how many."""
    table = schema.command
    result = transaction.connection.execute(
        update(table)
        .where(table.c.state == "issued", table.c.expires < now_text())
        .values(state="expired", state_time=now_text())
    )
    return int(result.rowcount)


def _signed(row: dict[str, Any]) -> SignedCommand:
    return SignedCommand.model_validate(
        {
            "offset": row["number"],
            "id": row["id"],
            "robot": row["robot"],
            "type": row["type"],
            "issued": row["issued"],
            "expires": row["expires"],
            "data": json.loads(row["data"]),
            "signature": row["signature"],
        }
    )
