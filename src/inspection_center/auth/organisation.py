"""What passes between the pages and the organisation's sign-in; apart, so that centers without one need not load it."""

from __future__ import annotations

from dataclasses import dataclass

CALLBACK_PATH = "/login/oidc/callback"
ATTEMPT_LIFE_S = 600


class OidcError(Exception):
    """The provider cannot be reached, or what it says does not hold; the text says which."""

    def __init__(self, status: int, fault: str) -> None:
        self.status = status
        super().__init__(fault)


@dataclass(frozen=True)
class Departure:
    """Where the browser goes, and what it carries meanwhile."""

    url: str
    attempt: str


@dataclass(frozen=True)
class Identity:
    """Who signed in, as the provider says."""

    name: str
    display_name: str
    role: str
    then: str
