"""Accounts and sessions: signing in, being locked out, one-time links."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import Engine, delete, insert, select, update

from inspection_center.audit import log as audit
from inspection_center.audit.log import record
from inspection_center.auth.organisation import Identity
from inspection_center.auth.permissions import OFFICER_ROLES, Principal
from inspection_center.auth.secrets import (
    MINIMUM_PASSWORD_LENGTH,
    hash_password,
    new_code,
    new_token,
    password_holds,
    token_hash,
)
from inspection_center.clock import now_text
from inspection_center.database import schema
from inspection_center.database.writer import Transaction
from inspection_center.problems import Conflict, NotFound
from inspection_center.supervision.erasing import erase as erase_from_supervision
from inspection_center.supervision.events import emit
from inspection_contract.errors import InputError

FAILURES_UNTIL_LOCK = 5
LOCK = timedelta(minutes=15)
LINK_LIFE = timedelta(hours=12)
CODE_LIFE = timedelta(hours=24)


@dataclass(frozen=True)
class NewAccount:
    """An account to be made; the password is hashed already."""

    name: str
    display_name: str
    role: str
    password_hash: str


@dataclass(frozen=True)
class NewSession:
    """A session just begun: the cookie's value, shown once."""

    token: str
    account: str


def new_account(name: str, display_name: str, role: str, password: str) -> NewAccount:
    """Check and hash what makes an account. Slow by design; run it outside the writer.

    Raises:
        InputError: the name is malformed, the role unknown, the password too short.
    """
    if not (1 <= len(name) <= 64 and name.isascii() and name.replace("_", "").replace("-", "").isalnum()):
        raise InputError(name[:80], "an account name has 1 … 64 letters, digits, _ or -")
    if role not in OFFICER_ROLES:
        raise InputError(role[:80], f"no such role; there are {', '.join(OFFICER_ROLES)}")
    if len(password) < MINIMUM_PASSWORD_LENGTH:
        raise InputError(name, f"the password is shorter than {MINIMUM_PASSWORD_LENGTH} characters")
    return NewAccount(name, display_name[:200] or name, role, hash_password(password))


def add_account(transaction: Transaction, actor: str, account: NewAccount) -> None:
    """Make an account.

    Raises:
        InputError: the name is taken.
    """
    table = schema.account
    if transaction.connection.execute(select(table.c.name).where(table.c.name == account.name)).first() is not None:
        raise InputError(account.name, "this account exists")
    transaction.connection.execute(
        insert(table).values(
            name=account.name,
            display_name=account.display_name,
            role=account.role,
            password_hash=account.password_hash,
            created=now_text(),
            active=True,
            failures=0,
        )
    )
    record(transaction, actor, "account.added", account.name, role=account.role)


def check_password(engine: Engine, name: str, password: str) -> bool:
    """Whether a password holds. Slow by design; run it outside the writer. A locked account never matches."""
    account = schema.account
    with engine.connect() as connection:
        row = connection.execute(
            select(account.c.password_hash, account.c.locked_until).where(account.c.name == name, account.c.active)
        ).first()
    holds = password_holds(password, None if row is None else row[0])
    return holds and row is not None and not (row[1] is not None and row[1] > now_text())


def signed_in(transaction: Transaction, name: str, life: timedelta) -> NewSession:
    """Begin a session after a check that held."""
    transaction.connection.execute(
        update(schema.account).where(schema.account.c.name == name).values(failures=0, locked_until=None)
    )
    token = new_token("session")
    transaction.connection.execute(delete(schema.session).where(schema.session.c.expires < now_text()))
    transaction.connection.execute(
        insert(schema.session).values(
            token_hash=token_hash(token),
            account=name,
            csrf=secrets.token_urlsafe(24),
            created=now_text(),
            expires=now_text(life),
        )
    )
    record(transaction, f"officer:{name}", "session.begun", name)
    emit(transaction, "session.begun", name, account=name)
    return NewSession(token, name)


def failed(transaction: Transaction, name: str) -> None:
    """Count a failed attempt; too many lock the account for a while."""
    account = schema.account
    row = transaction.connection.execute(select(account.c.failures).where(account.c.name == name)).first()
    if row is None:
        record(transaction, "public", "session.refused", "")
        return
    failures = row[0] + 1
    values: dict[str, Any] = {"failures": failures}
    if failures >= FAILURES_UNTIL_LOCK:
        values = {"failures": 0, "locked_until": now_text(LOCK)}
    transaction.connection.execute(update(account).where(account.c.name == name).values(**values))
    record(transaction, "public", "session.refused", name, locked=failures >= FAILURES_UNTIL_LOCK)
    emit(transaction, "session.refused", account=name, locked=failures >= FAILURES_UNTIL_LOCK)


def signed_out(transaction: Transaction, token: str, actor: str) -> None:
    """End a session."""
    transaction.connection.execute(delete(schema.session).where(schema.session.c.token_hash == token_hash(token)))
    record(transaction, actor, "session.ended")


def admitted(transaction: Transaction, identity: Identity, life: timedelta) -> NewSession:
    """Begin a session of a person whom the organisation's provider vouches for; the account is made or follows it.

    Raises:
        Conflict: the name is that of an account with a password of its own, or the account is closed.
    """
    table = schema.account
    row = transaction.connection.execute(
        select(table.c.password_hash, table.c.active, table.c.role).where(table.c.name == identity.name)
    ).first()
    actor = "provider:oidc"
    if row is None:
        add_account(transaction, actor, NewAccount(identity.name, identity.display_name, identity.role, ""))
    elif row.password_hash or not row.active:
        raise Conflict("this account is closed, or signs in with its own password")
    elif row.role != identity.role:
        transaction.connection.execute(update(table).where(table.c.name == identity.name).values(role=identity.role))
        record(transaction, actor, "account.role_changed", identity.name, role=identity.role)
    return signed_in(transaction, identity.name, life)


def new_link(transaction: Transaction, actor: str, name: str) -> str:
    """A token that signs an account in once."""
    token = new_token("link")
    transaction.connection.execute(
        insert(schema.login_link).values(token_hash=token_hash(token), account=name, expires=now_text(LINK_LIFE))
    )
    record(transaction, actor, "link.given", name)
    return token


def use_link(transaction: Transaction, token: str, life: timedelta) -> NewSession | None:
    """Begin a session with a one-time link; None when it does not hold (any more)."""
    link = schema.login_link
    row = transaction.connection.execute(
        select(link.c.account)
        .join(schema.account, schema.account.c.name == link.c.account)
        .where(
            link.c.token_hash == token_hash(token),
            link.c.used.is_(None),
            link.c.expires > now_text(),
            schema.account.c.active,
        )
    ).first()
    if row is None:
        return None
    transaction.connection.execute(update(link).where(link.c.token_hash == token_hash(token)).values(used=now_text()))
    return signed_in(transaction, row[0], life)


def new_enrolment(transaction: Transaction, actor: str, robot: str) -> str:
    """A one-time code with which a robot enrols; an earlier unused one of the same robot no longer holds."""
    code = new_code()
    table = schema.enrolment
    transaction.connection.execute(delete(table).where(table.c.robot == robot, table.c.used.is_(None)))
    transaction.connection.execute(
        insert(table).values(code_hash=token_hash(code), robot=robot, created=now_text(), expires=now_text(CODE_LIFE))
    )
    record(transaction, actor, "robot.code_given", robot)
    return code


def set_active(transaction: Transaction, officer: Principal, name: str, active: bool) -> None:
    """Close an account, ending its sessions, or open it again.

    Raises:
        NotFound: there is no such account.
        Conflict: it is one's own.
    """
    if name == officer.name:
        raise Conflict("nobody closes the own account")
    account = schema.account
    changed = transaction.connection.execute(update(account).where(account.c.name == name).values(active=active))
    if changed.rowcount == 0:
        raise NotFound("there is no such account")
    transaction.connection.execute(delete(schema.session).where(schema.session.c.account == name))
    record(transaction, officer.actor, "account.opened" if active else "account.closed", name)


def erase(transaction: Transaction, actor: str, name: str) -> int:
    """Close an account for good and erase the person from account and audit; returns how many audit entries.

    Raises:
        NotFound: there is no such account.
    """
    values = {"active": False, "display_name": "", "password_hash": ""}
    changed = transaction.connection.execute(
        update(schema.account).where(schema.account.c.name == name).values(**values)
    )
    if changed.rowcount == 0:
        raise NotFound("there is no such account")
    transaction.connection.execute(delete(schema.session).where(schema.session.c.account == name))
    erase_from_supervision(transaction, name)
    return audit.erase(transaction, actor, name)


def new_service(transaction: Transaction, actor: str, name: str, role: str, life: timedelta | None = None) -> str:
    """A token for a program that acts in a role; it replaces the earlier one of that name."""
    token = new_token("service")
    table = schema.service_token
    transaction.connection.execute(delete(table).where(table.c.name == name))
    transaction.connection.execute(
        insert(table).values(
            token_hash=token_hash(token),
            name=name,
            role=role,
            created=now_text(),
            expires=None if life is None else now_text(life),
        )
    )
    record(transaction, actor, "service.added", name, role=role)
    emit(transaction, "service.added", actor.removeprefix("officer:"), service=name, role=role)
    return token
