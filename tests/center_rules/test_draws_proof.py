"""Proofs: an independent computation agrees, and nothing in them can be changed unnoticed."""

from __future__ import annotations

import ast
import copy
import hashlib
import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inspection_center.draws import verify_draw
from inspection_center.draws.beacons import BeaconRecord, fetch_record, next_round, read_record
from inspection_center.draws.ledger import beacons
from inspection_center.draws.plan import Bound, Item, Place, Plan
from inspection_center.draws.statement import public_proof, reveal
from inspection_center.problems import Conflict, Unfit
from tests.center_rules.making import SECRET, commitment_of, drand_record, plan_of

PLAN = Plan(
    tuple(
        Item({"id": f"货物{n}", "case": n}, 1 + n * n, n == 3, 2, ("model:goods" if n % 2 else "model:ships",))
        for n in range(9)
    ),
    (
        Place({"id": "first"}, 3, None, (Bound("model:goods", 1),)),
        Place({"id": "second"}, 2, (0, 1, 2, 3, 4, 5), (), (Bound("model:ships", 1),)),
    ),
    load_factor=2,
)


def made(*, beacon: bool = True) -> dict[str, Any]:
    commitment, record = commitment_of(PLAN, beacon=beacon, replaces=4, replaces_reason="a ship was missing")
    return reveal(commitment, record, "" if beacon else SECRET)


def failures(proof: Any, published: str = "") -> list[str]:
    return [check.en for check in verify_draw.verify(proof, published) if check.verdict == "FAIL"]


def places_of(value: Any, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """Every field of a proof."""
    if isinstance(value, dict):
        return [found for key, inner in value.items() for found in places_of(inner, (*path, key))]
    if isinstance(value, list) and value:
        return [found for key, inner in enumerate(value) for found in places_of(inner, (*path, key))]
    return [path]


PROOFS = {True: made(), False: made(beacon=False)}
FIELDS = [(beacon, path) for beacon, proof in PROOFS.items() for path in places_of(proof)]


def changed(value: Any, data: st.DataObject) -> Any:
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + data.draw(st.sampled_from([-1, 1, 7]))
    if isinstance(value, str) and value:
        at = data.draw(st.integers(0, len(value) - 1))
        other = data.draw(st.sampled_from("0123456789abcdef-").filter(lambda c: c != value[at]))
        return value[:at] + other + value[at + 1 :]
    return data.draw(st.sampled_from(["x", 1, [1], {"a": 1}]))


@pytest.mark.parametrize("beacon", [True, False])
def test_an_untouched_proof_holds(beacon: bool) -> None:
    assert failures(PROOFS[beacon]) == []
    hidden = public_proof(PROOFS[beacon], False, False)
    assert failures(json.loads(json.dumps(hidden, ensure_ascii=False))) == []
    assert "货物" not in json.dumps(hidden, ensure_ascii=False)


@settings(max_examples=len(FIELDS), deadline=None)
@given(field=st.sampled_from(FIELDS), data=st.data())
def test_a_change_of_any_field_is_detected(field: tuple[bool, tuple[str | int, ...]], data: st.DataObject) -> None:
    assert_detected(field, lambda value: changed(value, data))


def test_each_single_field_was_tried() -> None:
    for field in FIELDS:
        assert_detected(
            field, lambda value: not value if isinstance(value, bool) else f"{value}0" if value != [] else [0]
        )


def assert_detected(field: tuple[bool, tuple[str | int, ...]], change: Any) -> None:
    beacon, path = field
    proof = copy.deepcopy(PROOFS[beacon])
    inner: Any = proof
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = change(inner[path[-1]])
    assert failures(proof), path


def test_removed_added_and_swapped_parts_are_detected() -> None:
    for tamper in (
        lambda p: p["items"].pop(),
        lambda p: p["items"].reverse(),
        lambda p: p["places"].append(p["places"][0]),
        lambda p: p["result"].reverse(),
        lambda p: p["result"][0].pop(),
        lambda p: p["labels"]["items"].pop(),
        lambda p: p.pop("seed"),
        lambda p: p.update(more=1),
        lambda p: p["statement"].update(more=1),
        lambda p: p.update(beacon=None),
        lambda p: p["statement"].update(beacon=None, strength="two_party"),
    ):
        proof = copy.deepcopy(PROOFS[True])
        tamper(proof)  # type: ignore[no-untyped-call]  # short tamperings read best as lambdas
        assert failures(proof)


def test_a_whole_other_draw_differs_from_the_published_digest() -> None:
    published = PROOFS[True]["statement_sha256"]
    other = made()
    assert failures(other) == []
    assert failures(other, published) == ["it is the digest published before"]
    assert failures(PROOFS[True], published) == []


def test_a_beacon_fetched_by_oneself_is_compared() -> None:
    proof = PROOFS[True]
    own = json.loads(drand_record(proof["statement"]["beacon"]["round"]))
    assert not [c for c in verify_draw.verify(proof, beacon=own) if c.verdict == "FAIL"]
    own["randomness"] = "00" * 32
    assert [c for c in verify_draw.verify(proof, beacon=own) if c.verdict == "FAIL"]


def test_who_knows_a_salt_finds_the_own_entry() -> None:
    hidden = public_proof(PROOFS[True], False, False)
    mine = PROOFS[True]["labels"]["items"][3]
    lines = [check.en for check in verify_draw.verify(hidden, mine=mine) if "your entry" in check.en]
    assert lines == ["your entry stands in the list", "your entry had the weight 10 and was drawn"]
    other = {**mine, "salt": "00" * 16}
    assert [c for c in verify_draw.verify(hidden, mine=other) if c.verdict == "FAIL"]


def test_the_verifier_needs_nothing_but_the_standard_library(tmp_path: Path) -> None:
    source = Path(verify_draw.__file__).read_text(encoding="utf-8")
    modules = {
        name.split(".")[0]
        for node in ast.walk(ast.parse(source))
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }
    assert modules <= sys.stdlib_module_names
    alone, proof = tmp_path / "verify_draw.py", tmp_path / "proof.json"
    alone.write_text(source, encoding="utf-8")
    proof.write_text(json.dumps(PROOFS[True], ensure_ascii=False), encoding="utf-8")
    run = [sys.executable, "-I", str(alone), str(proof)]
    good = subprocess.run(run, capture_output=True, text=True, cwd=tmp_path, env={}, check=False)
    assert (good.returncode, "The draw holds." in good.stdout) == (0, True), good.stdout + good.stderr
    broken = json.dumps({**PROOFS[True], "seed": "00" * 32})
    proof.write_text(broken, encoding="utf-8")
    bad = subprocess.run([*run, "--zh"], capture_output=True, text=True, cwd=tmp_path, check=False)
    assert (bad.returncode, "抽取不成立" in bad.stdout) == (1, True)
    for content in ("{", '{"seed": 1, "seed": 2}', ""):
        proof.write_text(content)
        assert subprocess.run(run, capture_output=True, cwd=tmp_path, check=False).returncode == 2


@given(junk=st.recursive(st.none() | st.booleans() | st.integers() | st.text(max_size=5), st.lists, max_leaves=8))
def test_junk_is_no_proof(junk: Any) -> None:
    assert failures(junk)
    assert failures({**PROOFS[True], "items": junk})
    assert failures({**PROOFS[True], "statement": junk})


def test_a_reveal_takes_only_what_was_committed() -> None:
    commitment, record = commitment_of(plan_of([1, 2]))
    assert record is not None
    with pytest.raises(Conflict, match="committed was drand round"):
        reveal(commitment, read_record(drand_record(record.round + 1)))
    with pytest.raises(Conflict, match="not the hash of the signature"):
        reveal(commitment, BeaconRecord("drand", record.round, "00" * 32, record.signature))
    with pytest.raises(Conflict, match="record is needed"):
        reveal(commitment, None)
    two, _ = commitment_of(plan_of([1, 2]), beacon=False)
    with pytest.raises(Conflict, match="not the one it committed"):
        reveal(two, None, "00" * 32)
    with pytest.raises(Unfit, match="64 hexadecimal"):
        reveal(two, None, "secret")


def test_without_the_secret_nobody_who_knows_the_beacon_knows_the_seed() -> None:
    commitment, record = commitment_of(plan_of([1] * 50))
    assert commitment.secret not in json.dumps([commitment.statement, commitment.items, commitment.places])
    other, _ = commitment_of(plan_of([1] * 50))
    assert reveal(commitment, record)["seed"] != reveal(other, record)["seed"]


def test_the_next_round_lies_after_the_moment_and_a_nist_pulse_is_read() -> None:
    moment = datetime(2026, 11, 20, 8, 0, 0, tzinfo=UTC)
    for beacon in beacons().values():
        ahead = next_round(beacon, moment)
        assert 0 < (ahead.time - moment).total_seconds() <= beacon.period_s
    quicknet = next_round(beacons()["drand_quicknet"], datetime.fromtimestamp(1692803367, UTC))
    assert quicknet.round == 2, "round 1 is emitted at the genesis itself"
    pulse = {"pulse": {"outputValue": "AB" * 64, "timeStamp": "2026-11-20T08:01:00.000Z"}}
    record = read_record(json.dumps(pulse))
    record.check_against(next_round(beacons()["nist"], moment).as_dict())
    assert record.randomness == "ab" * 64


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{", "{}", '{"round": true}', '{"round": 1, "randomness": "xy", "signature": "ab"}', '{"pulse": {}}',
     '{"pulse": {"outputValue": "00", "timeStamp": "x"}}', "9" * 70_000],
)  # fmt: skip
def test_what_is_no_record_is_refused(text: str) -> None:
    with pytest.raises(Unfit):
        read_record(text)


def test_an_unknown_beacon_is_not_fetched_from_anywhere() -> None:
    with pytest.raises(Unfit, match="does not know"):
        fetch_record({"kind": "drand", "chain": "00", "round": 1}, beacons())


def test_a_commitment_hides_its_labels_behind_salts() -> None:
    commitment, _ = commitment_of(plan_of([1, 1]))
    guessed = hashlib.sha256(json.dumps({"id": "i0"}, separators=(",", ":")).encode()).hexdigest()
    assert guessed not in {entry["leaf"] for entry in commitment.items}
