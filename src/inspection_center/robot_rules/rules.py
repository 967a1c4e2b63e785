"""Robots' rules: read from YAML, kept as versions the center signed, sent to every robot."""

from __future__ import annotations

import json
from collections import Counter
from datetime import timedelta
from typing import Annotated, Any

import yaml
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import Connection, RowMapping, func, insert, select

from inspection_center.audit.log import record
from inspection_center.auth.permissions import Principal
from inspection_center.clock import now_text
from inspection_center.commands.issuing import issue
from inspection_center.database import schema
from inspection_center.database.writer import Transaction
from inspection_center.located_yaml import read_located
from inspection_center.problems import Unfit
from inspection_center.robot_rules.tables import robot_rule_set
from inspection_contract.canonical import canonical_bytes
from inspection_contract.commands import Rule, RulesUpdate
from inspection_contract.errors import InputError
from inspection_contract.signatures import SignatureError, SigningKey

_LIFE = timedelta(days=30)
_PURPOSE = b"robot rules v1\n"
"""Begins what is signed, so that no other signature of the center can pass for this one."""


class RuleFile(BaseModel):
    """The rules as people write them."""

    model_config = ConfigDict(extra="forbid")

    rules: Annotated[tuple[Rule, ...], Field(max_length=1000)]


def read_rules(text: str) -> tuple[Rule, ...]:
    """Read rules from YAML.

    Raises:
        Unfit: the text names the line and the fault.
    """
    try:
        located = read_located(text, "rules", RuleFile)
    except InputError as error:
        raise Unfit(str(error)) from error
    seen: Counter[str] = Counter()
    for number, rule in enumerate(located.content.rules):
        seen[rule.id] += 1
        if seen[rule.id] > 1:
            raise Unfit(str(located.fault(("rules", number, "id"), f"the id {rule.id!r} is there twice")))
    return located.content.rules


def add_version(
    transaction: Transaction, key: SigningKey, officer: Principal, rules: tuple[Rule, ...], note: str
) -> tuple[int, list[str]]:
    """Make a version of the rules and send it to every robot; returns its number and the robots."""
    connection = transaction.connection
    newest = connection.execute(select(func.max(robot_rule_set.c.version))).scalar()
    number = int(newest or 0) + 1
    content = canonical_bytes([rule.model_dump(mode="json") for rule in rules])
    connection.execute(
        insert(robot_rule_set).values(
            version=number,
            rules=content.decode(),
            note=note,
            made_by=officer.name,
            created=now_text(),
            signature=key.sign(_signed(number, content)),
        )
    )
    names = _robots(connection)
    for name in names:
        issue(transaction, key, name, RulesUpdate(version=str(number), rules=rules), officer.name, _LIFE)
    record(transaction, officer.actor, "rules.published", str(number), rules=len(rules), note=note, robots=names)
    return number, names


def versions(connection: Connection, key: SigningKey) -> list[dict[str, Any]]:
    """Every version, the newest first, with its rules and whether its signature holds."""
    rows = connection.execute(select(robot_rule_set).order_by(robot_rule_set.c.version.desc())).mappings()
    return [{**row, "rules": json.loads(row["rules"]), "genuine": _genuine(row, key)} for row in rows]


def version(connection: Connection) -> int:
    """The present version; 0 before the first."""
    return int(connection.execute(select(func.max(robot_rule_set.c.version))).scalar() or 0)


def to_yaml(rules: list[dict[str, Any]]) -> str:
    """Rules as people write them."""
    return str(yaml.safe_dump({"rules": rules}, allow_unicode=True, sort_keys=False))


def _robots(connection: Connection) -> list[str]:
    robot = schema.robot
    return [str(row[0]) for row in connection.execute(select(robot.c.name).where(~robot.c.revoked))]


def _genuine(row: RowMapping, key: SigningKey) -> bool:
    try:
        key.public.verify(_signed(row["version"], row["rules"].encode()), row["signature"])
    except SignatureError:
        return False
    return True


def _signed(number: int, content: bytes) -> bytes:
    return _PURPOSE + str(number).encode() + b"\n" + content
