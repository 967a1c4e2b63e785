"""Which role may do what. One table, so that it can be read, tested and audited."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

OfficerRole = Literal["officer", "supervisor", "auditor", "administrator"]
OFFICER_ROLES: tuple[str, ...] = get_args(OfficerRole)
Permission = Literal[
    "findings.read",
    "alerts.decide",
    "robots.command",
    "orders.write",
    "answers.write",
    "watchlist.read",
    "watchlist.write",
    "rules.write",
    "statistics.read",
    "supervision.read",
    "supervision.handle",
    "supervision.answer",
    "supervision.tell",
    "quarantine.read",
    "audit.read",
    "accounts.write",
    "robots.enrol",
    "robot.report",
    "personal.read",
    "personal.erase",
    "declarations.read",
    "declarations.receive",
    "declarations.review",
    "declarations.dispatch",
    "declarations.decide",
    "exchange.read",
    "exchange.write",
    "risk.read",
    "risk.assess",
    "risk.write",
    "draws.read",
    "draws.write",
]

PERMISSIONS: dict[Permission, frozenset[str]] = {
    "findings.read": frozenset({"officer", "supervisor", "auditor", "administrator"}),
    "alerts.decide": frozenset({"officer", "supervisor"}),
    "robots.command": frozenset({"officer", "supervisor"}),
    "orders.write": frozenset({"officer", "supervisor"}),
    "answers.write": frozenset({"supervisor"}),
    "watchlist.read": frozenset({"supervisor", "auditor"}),
    "watchlist.write": frozenset({"supervisor"}),
    "rules.write": frozenset({"supervisor"}),
    "supervision.read": frozenset({"supervisor", "auditor"}),
    "supervision.handle": frozenset({"supervisor", "auditor"}),
    "supervision.tell": frozenset({"supervisor", "administrator"}),
    "supervision.answer": frozenset({"officer", "supervisor", "auditor", "administrator"}),
    "statistics.read": frozenset({"officer", "supervisor", "auditor", "administrator"}),
    "quarantine.read": frozenset({"supervisor", "auditor", "administrator"}),
    "audit.read": frozenset({"auditor", "supervisor"}),
    "accounts.write": frozenset({"administrator"}),
    "robots.enrol": frozenset({"administrator"}),
    "robot.report": frozenset({"robot"}),
    "personal.read": frozenset({"officer", "supervisor"}),
    "personal.erase": frozenset({"supervisor", "administrator"}),
    "declarations.read": frozenset({"officer", "supervisor", "auditor"}),
    "declarations.receive": frozenset({"officer", "supervisor"}),
    "declarations.review": frozenset({"officer", "supervisor"}),
    "declarations.dispatch": frozenset({"supervisor"}),
    "declarations.decide": frozenset({"officer", "supervisor"}),
    "exchange.read": frozenset({"supervisor", "auditor", "administrator"}),
    "exchange.write": frozenset({"supervisor", "administrator"}),
    "risk.read": frozenset({"officer", "supervisor", "auditor"}),
    "risk.assess": frozenset({"officer", "supervisor"}),
    "risk.write": frozenset({"supervisor"}),
    "draws.read": frozenset({"officer", "supervisor", "auditor"}),
    "draws.write": frozenset({"supervisor"}),
}


@dataclass(frozen=True)
class Principal:
    """Who makes a request."""

    kind: Literal["officer", "service", "robot"]
    name: str
    role: str
    csrf: str = ""
    """What an officer's forms carry."""
    public_key: str = ""
    """With which a robot's signatures are checked."""

    @property
    def actor(self) -> str:
        """As the audit log names it."""
        return f"{self.kind}:{self.name}"

    @property
    def permissions(self) -> frozenset[str]:
        """Everything the role may do."""
        return frozenset(permission for permission, roles in PERMISSIONS.items() if self.role in roles)

    def may(self, permission: Permission) -> bool:
        """Whether the role has a permission."""
        return self.role in PERMISSIONS[permission]
