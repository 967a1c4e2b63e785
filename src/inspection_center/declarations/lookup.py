"""How a declaration is found by its two numbers without comparing them one by one: a keyed digest of both."""

from __future__ import annotations

import hashlib
import hmac

from inspection_contract.signatures import SigningKey


def lookup_digest(key: SigningKey, registration_number: str, number: str) -> str:
    """HMAC-SHA-256 of both numbers under a key derived from the center's own.

    The database finds either the pair or nothing: how near a wrong pair came takes no other path and no other time.
    """
    secret = derived_key(key, "declaration.lookup")
    message = f"{_normal(registration_number)}\x00{_normal(number)}"
    return hmac.new(secret, message.encode(), hashlib.sha256).hexdigest()


def derived_key(key: SigningKey, purpose: str) -> bytes:
    """A secret of 32 bytes for one purpose, the same at every instance that has the center's signing key."""
    return hmac.new(key.to_text().encode(), f"inspection.{purpose}".encode(), hashlib.sha256).digest()


def _normal(text: str) -> str:
    return "".join(text.split()).upper()
