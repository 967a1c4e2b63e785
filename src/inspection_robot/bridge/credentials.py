"""What a robot keeps after enrolment, in one file of mode 0600."""

from __future__ import annotations

import base64
import json
import os
import secrets
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from inspection_contract.client import CenterClient, CenterError
from inspection_contract.errors import InputError
from inspection_contract.signatures import SignatureError, SigningKey, VerifyKey


@dataclass(frozen=True)
class Credentials:
    """A robot's identity at one center. Everything here but `center`, `robot` and `center_key` is secret."""

    center: str
    robot: str
    token: str
    signing_key: str
    center_key: str
    watchlist_key: str

    @property
    def key(self) -> SigningKey:
        """What signs batches."""
        return SigningKey.from_text(self.signing_key)

    @property
    def center_verify_key(self) -> VerifyKey:
        """What commands are checked with."""
        return VerifyKey.from_text(self.center_key)

    @property
    def watchlist_secret(self) -> bytes:
        """The key of watch-list digests."""
        return base64.urlsafe_b64decode(self.watchlist_key + "=")

    def with_token(self, token: str) -> Credentials:
        """The same identity with a fresh token."""
        return replace(self, token=token)


def read_credentials(path: Path) -> Credentials:
    """Read a credentials file.

    Raises:
        InputError: missing, unreadable by its owner, or not complete.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        credentials = Credentials(**content)
        if not all(isinstance(value, str) and value for value in asdict(credentials).values()):
            raise InputError(path, "an entry is empty or no text")
        _ = credentials.key, credentials.center_verify_key
    except OSError as error:
        raise InputError(path, f"no credentials: {error.strerror}; enrol this robot first") from error
    except (ValueError, TypeError, SignatureError) as error:
        raise InputError(path, f"not a credentials file: {error}") from error
    return credentials


def write_credentials(path: Path, credentials: Credentials) -> None:
    """Write the file durably, readable by its owner only, whole or not at all.

    Raises:
        InputError: it cannot be written.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(asdict(credentials), file, indent=2)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise InputError(path, f"cannot be written: {error.strerror}") from error


def enrol(center: str, code: str, path: Path, authority: Path | None = None) -> Credentials:
    """Turn a one-time code into a credentials file.

    The robot makes its own signing key: the private half never leaves it.

    Raises:
        InputError: the center cannot be reached or refuses the code, or the file cannot be written.
    """
    key = SigningKey.generate()
    try:
        with CenterClient(center, authority=authority) as client:
            enrolment = client.enrol(code.strip(), key)
    except CenterError as error:
        raise InputError(center, f"enrolment failed: {error}") from error
    credentials = Credentials(
        center=center.rstrip("/"),
        robot=enrolment.robot,
        token=enrolment.token,
        signing_key=key.to_text(),
        center_key=enrolment.center_key,
        watchlist_key=enrolment.watchlist_key,
    )
    write_credentials(path, credentials)
    return credentials
