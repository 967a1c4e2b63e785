"""Personal data, sealed under a key of each person's own: destroying that key erases it wherever it lies.

A subject is `watchlist:<entry>`, `session:<robot>:<session>` (a conversation) or `person:<robot>:<subject>` (whom a
finding is about). Its key lies in the database, wrapped (AES-256-GCM) under a key derived from the key file, so
that the database alone opens nothing. Backups made before an erasure still hold the key: they must go in their turn.
"""

from __future__ import annotations

import base64
import binascii
import secrets
from collections.abc import Iterable, Sequence

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from sqlalchemy import Connection, insert, select, update

from inspection_center.clock import now_text
from inspection_center.database import schema
from inspection_center.problems import NotFound
from inspection_contract.signatures import SigningKey

SEALED = "sealed:"
ERASED = "erased"
"""What stands in the place of data of a person who was erased."""
_NONCE_BYTES = 12
_CHUNK = 500


class Vault:
    """Seals and opens; made from the center's key."""

    def __init__(self, key: SigningKey) -> None:
        derive = HKDF(algorithm=SHA256(), length=32, salt=None, info=b"inspection personal data")
        self._wrapping = AESGCM(derive.derive(key.to_text().encode()))

    def seal(self, connection: Connection, items: Sequence[tuple[str, str]]) -> list[str]:
        """Texts of subjects, sealed; `erased` for subjects who were erased before. Makes keys where there are none."""
        keys = self._keys(connection, {subject for subject, _ in items})
        return [ERASED if (key := keys[subject]) is None else _seal(key, subject, text) for subject, text in items]

    def open(self, connection: Connection, items: Sequence[tuple[str, str]]) -> list[str]:
        """Sealed texts of subjects, opened: `erased` where the key is gone; what is not sealed stays as it is."""
        wrapped = _wrapped(connection, {subject for subject, text in items if text.startswith(SEALED)})
        keys = {subject: self._unwrap(subject, key) for subject, key in wrapped.items() if key is not None}
        return [_open(keys.get(subject), subject, text) if text.startswith(SEALED) else text for subject, text in items]

    def _keys(self, connection: Connection, subjects: set[str]) -> dict[str, bytes | None]:
        wrapped = _wrapped(connection, subjects)
        fresh = {subject: secrets.token_bytes(32) for subject in sorted(subjects - wrapped.keys())}
        if fresh:
            created = now_text()
            rows = [
                {"subject": subject, "key": _encrypt(self._wrapping, key, subject), "created": created, "erased": None}
                for subject, key in fresh.items()
            ]
            connection.execute(insert(schema.personal_key), rows)
        known = {subject: key and self._unwrap(subject, key) for subject, key in wrapped.items()}
        return {**known, **fresh}

    def _unwrap(self, subject: str, wrapped: bytes) -> bytes | None:
        try:
            return self._wrapping.decrypt(wrapped[:_NONCE_BYTES], wrapped[_NONCE_BYTES:], subject.encode())
        except InvalidTag:
            return None  # Made under another center key: as lost as an erased one.


def destroy_key(connection: Connection, subject: str) -> None:
    """Erase a subject: what is sealed under its key never opens again.

    Raises:
        NotFound: there is no such subject, or it was erased before.
    """
    table = schema.personal_key
    changed = connection.execute(
        update(table).where(table.c.subject == subject, table.c.key.is_not(None)).values(key=None, erased=now_text())
    )
    if changed.rowcount == 0:
        raise NotFound("there is no such subject")


def _wrapped(connection: Connection, subjects: Iterable[str]) -> dict[str, bytes | None]:
    table = schema.personal_key
    names = sorted(subjects)
    found: dict[str, bytes | None] = {}
    for start in range(0, len(names), _CHUNK):
        query = select(table.c.subject, table.c.key).where(table.c.subject.in_(names[start : start + _CHUNK]))
        found.update({row[0]: row[1] for row in connection.execute(query)})
    return found


def _seal(key: bytes, subject: str, text: str) -> str:
    return SEALED + base64.urlsafe_b64encode(_encrypt(AESGCM(key), text.encode(), subject)).decode()


def _encrypt(cipher: AESGCM, data: bytes, subject: str) -> bytes:
    nonce = secrets.token_bytes(_NONCE_BYTES)
    return nonce + cipher.encrypt(nonce, data, subject.encode())


def _open(key: bytes | None, subject: str, sealed: str) -> str:
    if key is None:
        return ERASED
    try:
        data = base64.urlsafe_b64decode(sealed.removeprefix(SEALED))
        return AESGCM(key).decrypt(data[:_NONCE_BYTES], data[_NONCE_BYTES:], subject.encode()).decode()
    except (InvalidTag, binascii.Error, ValueError):
        return ERASED
