"""Watch-list identifiers as one robot may hold them: keyed digests to compare, names sealed to the robot.

A robot's watch-list key is a secret of that robot and the center. Identifiers become HMAC-SHA-256 under it (a plain
hash of a short number is reversed by trying all numbers). Names must be compared by likeness, so they travel encrypted
with AES-256-GCM under a key derived from the same secret (HKDF-SHA-256, RFC 5869) and are opened only in memory.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets
import unicodedata

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

KEY_BYTES = 32


class SealError(Exception):
    """Sealed text that this key does not open."""


def normalise_identifier(text: str) -> str:
    """An identifier as it is compared: compatibility forms folded, upper case, only letters and digits."""
    return "".join(
        character for character in unicodedata.normalize("NFKC", text).upper() if character.isalnum()
    )  # fmt: skip


def identifier_digest(key: bytes, kind: str, identifier: str) -> str:
    """Keyed digest of an identifier of one kind, lower-case hex."""
    message = f"{kind}\x1f{normalise_identifier(identifier)}".encode()
    return hmac.new(key, message, hashlib.sha256).hexdigest()


def seal_name(key: bytes, entry_id: str, name: str) -> str:
    """A name encrypted under the robot's key and bound to its entry, base64url."""
    nonce = secrets.token_bytes(12)
    sealed = nonce + AESGCM(_name_key(key)).encrypt(nonce, name.encode(), entry_id.encode())
    return base64.urlsafe_b64encode(sealed).rstrip(b"=").decode()


def open_name(key: bytes, entry_id: str, sealed: str) -> str:
    """The name inside.

    Raises:
        SealError: another key, another entry, or altered text.
    """
    try:
        data = base64.urlsafe_b64decode(sealed + "=" * (-len(sealed) % 4))
        return AESGCM(_name_key(key)).decrypt(data[:12], data[12:], entry_id.encode()).decode()
    except (InvalidTag, binascii.Error, ValueError) as error:
        raise SealError("the sealed name does not open under this key") from error


def _name_key(key: bytes) -> bytes:
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=b"inspection watch-list names").derive(key)
