"""The systems we exchange with: what each may send, what each is told, and how signatures are checked and made."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from pydantic import BaseModel, ConfigDict, Field

from inspection_center.declarations.lookup import derived_key
from inspection_center.exchange.mapping import Import, Name, read_import
from inspection_center.exchange.outbox import TYPES, MessageType
from inspection_center.exchange.signing import Ed25519SigningKey, Ed25519VerifyKey, HmacKey, Signer, Verifier
from inspection_center.located_yaml import read_located_file
from inspection_contract.errors import InputError
from inspection_contract.resources import share
from inspection_contract.signatures import SignatureError, SigningKey

Address = Annotated[str, Field(pattern=r"^https?://[^\s/?#]+[^\s]*$", max_length=500)]


class _Secret(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    signature: Literal["hmac", "ed25519"] = "hmac"
    secret_variable: Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9_]*$")] | None = None
    """Environment variable that holds the shared secret (`whsec_…`)."""
    public_key: str | None = None
    """Of a partner that signs with Ed25519 (`whpk_…`)."""


class Sends(_Secret):
    """What a partner sends us: signed messages, read by a mapping."""

    mapping: str


class Receives(_Secret):
    """What a partner is told."""

    url: Address
    types: Annotated[tuple[MessageType, ...], Field(min_length=1)] = TYPES
    format: Literal["json", "cap"] = "json"
    """CAP 1.2 is for alerts."""


class Receiver(BaseModel):
    """An AIS receiver."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Name
    source: Annotated[str, Field(pattern=r"^(tcp|udp|file):[^\s]+$")]
    """`tcp:HOST:PORT` to connect to, `udp:HOST:PORT` to listen on, `file:PATH` to read once."""


class _Partner(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Name
    sends: Sends | None = None
    receives: Receives | None = None


class _File(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    partners: Annotated[tuple[_Partner, ...], Field(max_length=200)] = ()
    ais: Annotated[tuple[Receiver, ...], Field(max_length=20)] = ()


@dataclass(frozen=True)
class Sender:
    """A partner that sends, with what its messages are checked and read by."""

    verifier: Verifier
    mapping: Import


@dataclass(frozen=True)
class Target:
    """A partner that is told, with what its messages are signed by."""

    signer: Signer
    receives: Receives


@dataclass(frozen=True)
class Partners:
    """All of an installation."""

    senders: dict[str, Sender] = field(default_factory=dict)
    targets: dict[str, Target] = field(default_factory=dict)
    receivers: tuple[Receiver, ...] = ()


def read_partners(path: Path | None, key: SigningKey) -> Partners:
    """Read a partners file.

    Args:
        path: None: nobody is known.
        key: the center's; the key that signs webhooks is derived from it.

    Raises:
        InputError: names the file, the line and the fault.
    """
    if path is None:
        return Partners()
    located = read_located_file(path, _File)
    senders: dict[str, Sender] = {}
    targets: dict[str, Target] = {}
    names: set[str] = set()
    for place, partner in enumerate(located.content.partners):
        where = ("partners", place)
        if partner.name in names:
            raise located.fault((*where, "name"), f"{partner.name} stands here twice")
        names.add(partner.name)
        try:
            if partner.sends is not None:
                verifier = _verifier(partner.sends)
                senders[partner.name] = Sender(verifier, read_import(_mapping_path(path, partner.sends.mapping)))
            if partner.receives is not None:
                if partner.receives.format == "cap" and partner.receives.types != ("inspection.alert.v1",):
                    raise SignatureError("CAP is for inspection.alert.v1 alone: name it in `types`")
                targets[partner.name] = Target(_signer(partner.receives, key), partner.receives)
        except SignatureError as error:
            raise located.fault(where, str(error)) from error
    return Partners(senders, targets, located.content.ais)


def webhook_key(key: SigningKey) -> Ed25519PrivateKey:
    """The center's key for webhooks: another one than for commands, so that no signature fits both."""
    return Ed25519PrivateKey.from_private_bytes(derived_key(key, "webhooks"))


def _mapping_path(path: Path, name: str) -> Path:
    if Path(name).name != name:
        raise InputError(path, f"mapping {name}: a file name is wanted")
    beside = path.parent / f"{name}.yaml"
    return beside if beside.is_file() else share() / "config" / "exchange" / f"{name}.yaml"


def _verifier(sends: Sends) -> Verifier:
    if sends.signature == "ed25519":
        if not sends.public_key:
            raise SignatureError("`public_key` is missing")
        return Ed25519VerifyKey.from_text(sends.public_key)
    return _shared_secret(sends)


def _signer(receives: Receives, key: SigningKey) -> Signer:
    return Ed25519SigningKey(webhook_key(key)) if receives.signature == "ed25519" else _shared_secret(receives)


def _shared_secret(secret: _Secret) -> HmacKey:
    if not secret.secret_variable:
        raise SignatureError("`secret_variable` is missing")
    text = os.environ.get(secret.secret_variable, "")
    if not text:
        raise SignatureError(f"the environment has no {secret.secret_variable}")
    return HmacKey.from_text(text)
