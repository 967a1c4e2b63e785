"""The audit log in the database: append inside the transaction of the deed, checkpoints signed by the center.

A leaf covers the time, the action and a salted digest of who did what to which thing. The plain details stand beside
it; erasing them (personal data) leaves the tree whole, and what was erased can no longer be guessed from its digest.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from typing import Any

from sqlalchemy import Connection, and_, func, insert, or_, select, update

from inspection_center.audit import merkle
from inspection_center.clock import now_text
from inspection_center.database import schema
from inspection_center.database.writer import Transaction
from inspection_contract.canonical import canonical_bytes
from inspection_contract.signatures import SigningKey

ERASURE = "personal.erased"
ERASED = "erased"
"""What stands in the place of details that were erased; such an entry is covered by its hash only."""


def record(transaction: Transaction, actor: str, action: str, target: str = "", **details: Any) -> int:
    """Append one deed; returns its leaf number."""
    connection = transaction.connection
    leaf = size(connection)
    time = now_text()
    salt = secrets.token_hex(16)
    text = json.dumps(details, ensure_ascii=False, sort_keys=True, default=str)
    data = leaf_bytes(time, action, details_digest(salt, actor, target, text))
    digest = merkle.leaf_hash(data)
    connection.execute(
        insert(schema.audit).values(
            leaf=leaf,
            time=time,
            actor=actor[:80],
            action=action,
            object=target[:200],
            details=text,
            salt=salt,
            leaf_hash=digest.hex(),
        )
    )
    nodes = merkle.new_nodes(leaf, digest, lambda level, position: read_node(connection, level, position))
    connection.execute(
        insert(schema.audit_node),
        [{"level": level, "position": position, "hash": value.hex()} for level, position, value in nodes],
    )
    return leaf


def erase(transaction: Transaction, actor: str, person: str) -> int:
    """Erase who and what from every entry by or about a person; the tree stays whole. Returns how many entries.

    What remains of such an entry is its time, its action and its hash; without the salt nothing can be guessed from it.
    """
    table = schema.audit
    concerned = or_(table.c.actor == f"officer:{person}", table.c.object == person)
    changed = transaction.connection.execute(
        update(table).where(concerned).values(actor="", object="", salt="", details=ERASED)
    )
    record(transaction, actor, ERASURE, "", entries=int(changed.rowcount))
    return int(changed.rowcount)


def erase_object(transaction: Transaction, action_prefix: str, target: str) -> int:
    """Erase the details of every entry of some kind of action on one thing; returns how many."""
    table = schema.audit
    concerned = and_(table.c.object == target, table.c.action.startswith(action_prefix, autoescape=True))
    changed = transaction.connection.execute(
        update(table).where(concerned).values(actor="", object="", salt="", details=ERASED)
    )
    return int(changed.rowcount)


def size(connection: Connection) -> int:
    """Number of leaves."""
    return int(connection.execute(select(func.coalesce(func.max(schema.audit.c.leaf) + 1, 0))).scalar_one())


def read_node(connection: Connection, level: int, position: int) -> bytes:
    """A stored node of the tree."""
    node = schema.audit_node
    value = connection.execute(
        select(node.c.hash).where(node.c.level == level, node.c.position == position)
    ).scalar_one()
    return bytes.fromhex(value)


def details_digest(salt: str, actor: str, target: str, details: str) -> str:
    """Salted digest of the part of an entry that may be erased later."""
    content = canonical_bytes({"actor": actor[:80], "object": target[:200], "details": details})
    return hashlib.sha256(bytes.fromhex(salt) + content).hexdigest()


def leaf_bytes(time: str, action: str, digest: str) -> bytes:
    """What a leaf's hash covers."""
    return canonical_bytes({"time": time, "action": action, "details": digest})


def checkpoint_bytes(tree_size: int, root: str, time: str) -> bytes:
    """What a checkpoint's signature covers."""
    return canonical_bytes({"purpose": "inspection.audit", "size": tree_size, "root": root, "time": time})


def sign_checkpoint(transaction: Transaction, key: SigningKey) -> bool:
    """Sign the present tree; False when nothing was added since the last checkpoint."""
    connection = transaction.connection
    tree_size = size(connection)
    latest = connection.execute(select(func.max(schema.audit_checkpoint.c.size))).scalar()
    if tree_size == 0 or latest == tree_size:
        return False
    root = merkle.root(tree_size, lambda level, position: read_node(connection, level, position)).hex()
    time = now_text()
    connection.execute(
        insert(schema.audit_checkpoint).values(
            size=tree_size, root=root, time=time, signature=key.sign(checkpoint_bytes(tree_size, root, time))
        )
    )
    return True
