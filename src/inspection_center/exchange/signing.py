"""Signatures of webhooks as Standard Webhooks 1.0 has them: HMAC-SHA-256 (`v1`) or Ed25519 (`v1a`).

Signed is `{webhook-id}.{webhook-timestamp}.{body}`. A message is taken within five minutes of its time stamp, and its
id once: see `inspection_center.exchange.receiving`.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from inspection_contract.signatures import SignatureError

ID_HEADER, TIMESTAMP_HEADER, SIGNATURE_HEADER = "webhook-id", "webhook-timestamp", "webhook-signature"
TOLERANCE_S = 300
_ID = re.compile(r"[A-Za-z0-9_.:-]{1,128}", re.ASCII)
_TIMESTAMP = re.compile(r"\d{1,12}", re.ASCII)
_MOST_SIGNATURES = 10
_SHORTEST_SECRET = 24  # Standard Webhooks: 24 … 64 bytes.


@dataclass(frozen=True)
class HmacKey:
    """A shared secret."""

    secret: bytes

    @staticmethod
    def from_text(text: str) -> HmacKey:
        """A secret as it is handed over: `whsec_` and base64.

        Raises:
            SignatureError: not of that form, or shorter than 24 bytes.
        """
        secret = _read("whsec_", text)
        if len(secret) < _SHORTEST_SECRET:
            raise SignatureError(f"a secret has at least {_SHORTEST_SECRET} bytes")
        return HmacKey(secret)

    def sign(self, message: bytes) -> str:
        """One entry of the signature header."""
        return f"v1,{base64.b64encode(hmac.new(self.secret, message, hashlib.sha256).digest()).decode()}"

    def holds(self, message: bytes, entry: str) -> bool:
        """Whether an entry is this key's, in constant time."""
        return hmac.compare_digest(self.sign(message).encode(), entry.encode())


@dataclass(frozen=True)
class Ed25519SigningKey:
    """Our own private key; partners hold the public one."""

    private: Ed25519PrivateKey

    def sign(self, message: bytes) -> str:
        """One entry of the signature header."""
        return f"v1a,{base64.b64encode(self.private.sign(message)).decode()}"


@dataclass(frozen=True)
class Ed25519VerifyKey:
    """A partner's public key."""

    public: Ed25519PublicKey

    @staticmethod
    def from_text(text: str) -> Ed25519VerifyKey:
        """A key as it is handed over: `whpk_` and base64.

        Raises:
            SignatureError: not of that form.
        """
        data = _read("whpk_", text)
        if len(data) != 32:
            raise SignatureError("a public key has 32 bytes")
        return Ed25519VerifyKey(Ed25519PublicKey.from_public_bytes(data))

    def holds(self, message: bytes, entry: str) -> bool:
        """Whether an entry is this key's."""
        version, _, encoded = entry.partition(",")
        if version != "v1a":
            return False
        try:
            self.public.verify(base64.b64decode(encoded, validate=True), message)
        except (InvalidSignature, binascii.Error, ValueError):
            return False
        return True


Signer = HmacKey | Ed25519SigningKey
Verifier = HmacKey | Ed25519VerifyKey


def public_key_text(private: Ed25519PrivateKey) -> str:
    """Our public key as it is handed over."""
    return f"whpk_{base64.b64encode(private.public_key().public_bytes_raw()).decode()}"


def sign(key: Signer, identity: str, timestamp: int, body: bytes) -> dict[str, str]:
    """The three headers of a message."""
    return {
        ID_HEADER: identity,
        TIMESTAMP_HEADER: str(timestamp),
        SIGNATURE_HEADER: key.sign(_message(identity, str(timestamp), body)),
    }


def verify(key: Verifier, identity: str, timestamp: str, signature: str, body: bytes, now_s: float) -> None:
    """Check a message's three headers.

    Raises:
        SignatureError: a header is missing or malformed, the time is off, or no signature holds.
    """
    if _ID.fullmatch(identity) is None or _TIMESTAMP.fullmatch(timestamp) is None:
        raise SignatureError(f"{ID_HEADER} or {TIMESTAMP_HEADER} is missing or malformed")
    message = _message(identity, timestamp, body)
    if not any(key.holds(message, entry) for entry in signature.split()[:_MOST_SIGNATURES]):
        raise SignatureError("no signature holds")
    if abs(now_s - int(timestamp)) > TOLERANCE_S:
        raise SignatureError(f"the message is more than {TOLERANCE_S} s old, or from the future")


def _message(identity: str, timestamp: str, body: bytes) -> bytes:
    return f"{identity}.{timestamp}.".encode() + body


def _read(prefix: str, text: str) -> bytes:
    try:
        return base64.b64decode(text.strip().removeprefix(prefix), validate=True)
    except (binascii.Error, ValueError) as error:
        raise SignatureError(f"not {prefix} and base64") from error
