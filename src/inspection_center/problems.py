"""What a request can be refused for, beside its form: told as one line with a status."""

from __future__ import annotations


class Problem(Exception):  # noqa: N818 - it is told to people as such
    """A deed that cannot be done."""

    status = 400


class NotFound(Problem):
    """There is no such thing."""

    status = 404


class Conflict(Problem):
    """Somebody else was first, or the thing is in another state."""

    status = 409


class Unfit(Problem):
    """What was given does not fit."""

    status = 422
