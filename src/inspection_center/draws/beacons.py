"""Public randomness beacons: which round lies ahead, and what a round's record must be.

drand (League of Entropy): round r of a chain is emitted at genesis + (r − 1) · period; its randomness is SHA-256 of
its BLS signature. NIST beacon 2.0: a pulse a minute, named by its time; its output value has 512 bits. What is
checked here is that the record fits the round and, for drand, that the randomness is the hash of the signature. The
signature itself is checked by comparing with what the beacon shows everybody, from a place of one's own:
`verify_draw.py --beacon`.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Literal

import httpx
from pydantic import BaseModel, ConfigDict, Field

from inspection_center.located_yaml import read_located_file
from inspection_center.problems import Conflict, Problem, Unfit

_HEX = re.compile(r"[0-9a-f]+")
_LARGEST_RECORD = 65_536
_TIMEOUT_S = 10.0


class BeaconUnavailable(Problem):
    """The beacon cannot be reached, or has not spoken yet."""

    status = 503


class Beacon(BaseModel):
    """A beacon of config/draws/beacons.yaml."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["drand", "nist"]
    chain: Annotated[str, Field(pattern=r"^[0-9a-f]{1,64}$")]
    genesis: Annotated[int, Field(ge=0)] = 0
    """Unix time of drand's round 1."""
    period_s: Annotated[int, Field(ge=1, le=3600)]
    url: Annotated[str, Field(pattern=r"^https://")]
    zh: str
    en: str


class BeaconList(BaseModel):
    """All beacons an installation knows."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    beacons: Annotated[dict[Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,30}$")], Beacon], Field(min_length=1)]


@dataclass(frozen=True)
class BeaconRound:
    """A round of a beacon: for NIST `round` is the pulse's time in Unix seconds."""

    beacon: Beacon
    round: int
    time: datetime

    def as_dict(self) -> dict[str, Any]:
        """As a statement names it."""
        return {
            "kind": self.beacon.kind,
            "chain": self.beacon.chain,
            "genesis": self.beacon.genesis,
            "period_s": self.beacon.period_s,
            "round": self.round,
            "time": f"{self.time.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}",
        }


@dataclass(frozen=True)
class BeaconRecord:
    """What a beacon said in a round; `randomness` and `signature` in lower-case hexadecimal digits."""

    kind: str
    round: int
    randomness: str
    signature: str = ""

    def as_dict(self) -> dict[str, Any]:
        """As a proof holds it."""
        return {"kind": self.kind, "round": self.round, "randomness": self.randomness, "signature": self.signature}

    def check_against(self, committed: dict[str, Any]) -> None:
        """Check that this is the committed round's record.

        Raises:
            Conflict: another beacon or round, or a randomness that is not the hash of the signature.
        """
        if self.kind != committed["kind"] or self.round != committed["round"]:
            raise Conflict(
                f"the record is of {self.kind} round {self.round}, committed was {committed['kind']} "
                f"round {committed['round']}"
            )
        if self.kind == "drand" and hashlib.sha256(bytes.fromhex(self.signature)).hexdigest() != self.randomness:
            raise Conflict("the randomness is not the hash of the signature")


def read_beacons(path: Path) -> dict[str, Beacon]:
    """Read config/draws/beacons.yaml.

    Raises:
        InputError: the file cannot be read or used.
    """
    return read_located_file(path, BeaconList).content.beacons


def next_round(beacon: Beacon, after: datetime) -> BeaconRound:
    """The first round that is emitted after a moment."""
    seconds = after.timestamp()
    steps = max(0, math.floor((seconds - beacon.genesis) / beacon.period_s) + 1)
    moment = beacon.genesis + steps * beacon.period_s
    number = steps + 1 if beacon.kind == "drand" else moment
    return BeaconRound(beacon, number, datetime.fromtimestamp(moment, UTC))


def read_record(text: str) -> BeaconRecord:
    """A record as drand or NIST publish it (JSON).

    Raises:
        Unfit: it is none.
    """
    try:
        content = json.loads(text) if len(text) <= _LARGEST_RECORD else None
    except (ValueError, RecursionError) as error:
        raise Unfit("the beacon's record is no JSON") from error
    if not isinstance(content, dict):
        raise Unfit("the beacon's record must be a JSON object")
    if isinstance(content.get("pulse"), dict):
        return _nist(content["pulse"])
    number, randomness, signature = content.get("round"), content.get("randomness"), content.get("signature")
    if isinstance(number, bool) or not isinstance(number, int) or not 1 <= number < 2**53:
        raise Unfit("the record's round must be a positive integer")
    if not _is_hex(randomness, 64, 64) or not _is_hex(signature, 96, 192):
        raise Unfit("randomness must have 64 hexadecimal digits, signature 96 … 192")
    return BeaconRecord("drand", number, str(randomness), str(signature))


def _nist(pulse: dict[str, Any]) -> BeaconRecord:
    value, moment = pulse.get("outputValue"), pulse.get("timeStamp")
    output = value.lower() if isinstance(value, str) else value
    if not _is_hex(output, 128, 128) or not isinstance(moment, str):
        raise Unfit("a NIST pulse needs outputValue (128 hexadecimal digits) and timeStamp")
    try:
        time = datetime.fromisoformat(moment)
    except ValueError as error:
        raise Unfit("the pulse's timeStamp is no time") from error
    if time.tzinfo is None:
        raise Unfit("the pulse's timeStamp needs a time zone")
    return BeaconRecord("nist", int(time.timestamp()), str(output))


def fetch_record(committed: dict[str, Any], beacons: dict[str, Beacon]) -> BeaconRecord:
    """Fetch the committed round's record from the beacon's own address.

    Raises:
        BeaconUnavailable: it cannot be reached, or has not spoken yet.
        Unfit: the beacon is none of this installation's, or the answer is no record.
    """
    beacon = next((b for b in beacons.values() if (b.kind, b.chain) == (committed["kind"], committed["chain"])), None)
    if beacon is None:
        raise Unfit("this installation does not know the beacon's address; give its record instead")
    number = committed["round"]
    place = f"/{beacon.chain}/public/{number}" if beacon.kind == "drand" else f"/pulse/time/{number * 1000}"
    try:
        answer = httpx.get(beacon.url + place, timeout=_TIMEOUT_S)
        answer.raise_for_status()
    except httpx.HTTPError as error:
        raise BeaconUnavailable(
            f"the beacon does not answer ({type(error).__name__}); give its record instead"
        ) from error
    return read_record(answer.text)


def due(committed: dict[str, Any], now: datetime) -> timedelta:
    """How long until the committed round is emitted; negative when it was."""
    return datetime.fromisoformat(str(committed["time"])) - now


def _is_hex(value: Any, shortest: int, longest: int) -> bool:
    return isinstance(value, str) and shortest <= len(value) <= longest and _HEX.fullmatch(value) is not None
