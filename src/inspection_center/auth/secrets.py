"""Secrets: tokens kept as hashes, passwords as argon2id, the center's own signing key in a file of its owner's."""

from __future__ import annotations

import hashlib
import os
import secrets
from pathlib import Path

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from inspection_contract.errors import InputError
from inspection_contract.signatures import SignatureError, SigningKey

MINIMUM_PASSWORD_LENGTH = 10
_HASHER = PasswordHasher()  # RFC 9106's low-memory parameters, argon2-cffi's default.
_UNKNOWN_ACCOUNT = _HASHER.hash(secrets.token_hex(16))


def new_token(kind: str) -> str:
    """A random token of 256 bits; `kind` makes leaked ones recognisable."""
    return f"{kind}_{secrets.token_urlsafe(32)}"


def new_code() -> str:
    """A one-time code a person can type: 100 bits in groups, without letters that look alike."""
    alphabet = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"
    return "-".join("".join(secrets.choice(alphabet) for _ in range(5)) for _ in range(4))


def token_hash(token: str) -> str:
    """What is kept of a token. Tokens are random, so that a plain hash cannot be reversed."""
    return hashlib.sha256(token.encode()).hexdigest()


def hash_password(password: str) -> str:
    """What is kept of a password."""
    return _HASHER.hash(password)


def password_holds(password: str, kept: str | None) -> bool:
    """Compare; without an account it takes as long, so that names cannot be probed by time."""
    try:
        return _HASHER.verify(kept if kept is not None else _UNKNOWN_ACCOUNT, password) and kept is not None
    except (VerificationError, InvalidHashError):
        return False


def load_signing_key(path: Path) -> SigningKey:
    """The center's key, made on first use, readable by its owner only.

    Raises:
        InputError: the file cannot be read or made, or holds no key.
    """
    try:
        if not path.exists():
            write_secret(path, SigningKey.generate().to_text() + "\n")
        return SigningKey.from_text(path.read_text(encoding="ascii"))
    except OSError as error:
        raise InputError(path, error.strerror or str(error)) from error
    except (SignatureError, UnicodeDecodeError) as error:
        raise InputError(path, f"not a signing key: {error}") from error


def write_secret(path: Path, content: str) -> None:
    """Write a file only its owner can read, whole or not at all."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
