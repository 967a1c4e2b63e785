"""Signatures: HTTP batches by RFC 9421 (Ed25519) over their RFC 9530 digest; commands over their canonical bytes."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from inspection_contract.canonical import canonical_bytes

_INPUT = re.compile(
    r'robot=\("@method" "@path" "content-digest"\);created=(\d{1,12});keyid="([a-z0-9_:.-]{1,100})";alg="ed25519"'
)
_SIGNATURE = re.compile(r"robot=:([A-Za-z0-9+/=]{88}):")


class SignatureError(Exception):
    """A signature that is missing, malformed or does not hold; the text says which."""


@dataclass(frozen=True)
class SigningKey:
    """An Ed25519 private key."""

    private: Ed25519PrivateKey

    @staticmethod
    def generate() -> SigningKey:
        """A fresh key."""
        return SigningKey(Ed25519PrivateKey.generate())

    @staticmethod
    def from_text(text: str) -> SigningKey:
        """A key from its base64url seed.

        Raises:
            SignatureError: not 32 bytes of base64url.
        """
        return SigningKey(Ed25519PrivateKey.from_private_bytes(_read_key(text)))

    def to_text(self) -> str:
        """The seed as base64url: a secret."""
        return _write(self.private.private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption()))

    @property
    def public(self) -> VerifyKey:
        """The key that verifies."""
        return VerifyKey(self.private.public_key())

    def sign(self, data: bytes) -> str:
        """Signature over `data`, base64url."""
        return _write(self.private.sign(data))


@dataclass(frozen=True)
class VerifyKey:
    """An Ed25519 public key."""

    public: Ed25519PublicKey

    @staticmethod
    def from_text(text: str) -> VerifyKey:
        """A key from base64url.

        Raises:
            SignatureError: not 32 bytes of base64url.
        """
        return VerifyKey(Ed25519PublicKey.from_public_bytes(_read_key(text)))

    def to_text(self) -> str:
        """The key as base64url."""
        return _write(self.public.public_bytes(Encoding.Raw, PublicFormat.Raw))

    def verify(self, data: bytes, signature: str) -> None:
        """Check a base64url signature.

        Raises:
            SignatureError: it does not hold.
        """
        try:
            self.public.verify(base64.urlsafe_b64decode(signature + "=" * (-len(signature) % 4)), data)
        except (InvalidSignature, binascii.Error, ValueError) as error:
            raise SignatureError("the signature does not hold") from error


def request_headers(
    key: SigningKey, *, robot: str, method: str, path: str, body: bytes, now: datetime | None = None
) -> dict[str, str]:
    """The headers that sign a request: Content-Digest, Signature-Input and Signature.

    `created` is the sender's wall clock and lets the receiver see how far that clock is off.
    """
    digest = content_digest(body)
    created = int((now or datetime.now(UTC)).timestamp())
    parameters = f'("@method" "@path" "content-digest");created={created};keyid="{robot}";alg="ed25519"'
    signature = key.private.sign(_signature_base(method, path, digest, parameters))
    return {
        "Content-Digest": digest,
        "Signature-Input": f"robot={parameters}",
        "Signature": f"robot=:{base64.b64encode(signature).decode()}:",
    }


@dataclass(frozen=True)
class RequestSignature:
    """A request's signature that held."""

    robot: str
    created: datetime


def verify_request(
    key: VerifyKey, *, method: str, path: str, body: bytes, digest: str, signature_input: str, signature: str
) -> RequestSignature:
    """Check the signature headers of a request against its bytes.

    Raises:
        SignatureError: a header is missing or malformed, the digest is another, or the signature does not hold.
    """
    inputs = _INPUT.fullmatch(signature_input)
    encoded = _SIGNATURE.fullmatch(signature)
    if inputs is None or encoded is None:
        raise SignatureError("Signature-Input or Signature is missing or malformed")
    if digest != content_digest(body):
        raise SignatureError("Content-Digest is not that of the body")
    base = _signature_base(method, path, digest, signature_input.removeprefix("robot="))
    try:
        key.public.verify(base64.b64decode(encoded[1], validate=True), base)
    except (InvalidSignature, binascii.Error, ValueError) as error:
        raise SignatureError("the signature does not hold") from error
    return RequestSignature(robot=inputs[2], created=datetime.fromtimestamp(int(inputs[1]), UTC))


def content_digest(body: bytes) -> str:
    """Content-Digest of a body (RFC 9530, sha-256)."""
    return f"sha-256=:{base64.b64encode(hashlib.sha256(body).digest()).decode()}:"


def command_bytes(*, id: str, robot: str, type: str, issued: str, expires: str, data: dict[str, Any]) -> bytes:  # noqa: A002 - field names
    """What a command's signature covers: everything but the cursor, with a purpose so that it fits nothing else."""
    return canonical_bytes(
        {
            "purpose": "inspection.command",
            "id": id,
            "robot": robot,
            "type": type,
            "issued": issued,
            "expires": expires,
            "data": data,
        }
    )


def _signature_base(method: str, path: str, digest: str, parameters: str) -> bytes:
    # RFC 9421, 2.5: one line a component, the parameters last.
    return (
        f'"@method": {method}\n"@path": {path}\n"content-digest": {digest}\n"@signature-params": {parameters}'
    ).encode()


def _write(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _read_key(text: str) -> bytes:
    try:
        data = base64.urlsafe_b64decode(text.strip() + "=" * (-len(text.strip()) % 4))
    except (binascii.Error, ValueError) as error:
        raise SignatureError("not a base64url key") from error
    if len(data) != 32:
        raise SignatureError("not a 32 byte key")
    return data
