from __future__ import annotations

import argparse
import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import delete, select, update

from inspection_center.audit import merkle, verify_command
from inspection_center.audit.log import details_digest, erase, leaf_bytes, record, sign_checkpoint
from inspection_center.audit.verification import Checkpoint, verify
from inspection_center.database import schema
from inspection_center.database.engine import open_engine, prepare
from inspection_center.database.writer import Transaction, Writer
from inspection_contract.errors import InputError
from inspection_contract.signatures import SigningKey
from tests.center.running import RunningCenter

KEY = SigningKey.generate()


def tree_hash(leaves: list[bytes]) -> bytes:
    """MTH of RFC 6962, section 2.1, as it is written there."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return hashlib.sha256(b"\x00" + leaves[0]).digest()
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    return hashlib.sha256(b"\x01" + tree_hash(leaves[:split]) + tree_hash(leaves[split:])).digest()


def build(leaves: list[bytes]) -> dict[tuple[int, int], bytes]:
    nodes: dict[tuple[int, int], bytes] = {}
    for index, leaf in enumerate(leaves):
        for level, position, value in merkle.new_nodes(index, merkle.leaf_hash(leaf), lambda *key: nodes[key]):
            nodes[level, position] = value
    return nodes


@given(st.lists(st.binary(max_size=8), max_size=70))
def test_roots_are_those_of_the_standard(leaves: list[bytes]) -> None:
    nodes = build(leaves)
    for size in range(len(leaves) + 1):
        assert merkle.root(size, lambda *key: nodes[key]) == tree_hash(leaves[:size])


@given(leaves=st.lists(st.binary(max_size=8), min_size=1, max_size=70), data=st.data())
def test_inclusion_proofs_lead_to_the_root_and_no_other_leaf_does(leaves: list[bytes], data: st.DataObject) -> None:
    nodes = build(leaves)
    index = data.draw(st.integers(0, len(leaves) - 1))
    proof = merkle.inclusion_proof(index, len(leaves), lambda *key: nodes[key])
    root = tree_hash(leaves)
    assert merkle.root_from_inclusion(index, len(leaves), merkle.leaf_hash(leaves[index]), proof) == root
    assert merkle.root_from_inclusion(index, len(leaves), merkle.leaf_hash(b"something else"), proof) != root
    with pytest.raises(ValueError, match="too"):
        merkle.root_from_inclusion(index, len(leaves), merkle.leaf_hash(leaves[index]), [*proof, b"x" * 32])


@pytest.fixture
def writer(tmp_path: Path) -> Writer:
    engine = open_engine(f"sqlite:///{tmp_path / 'center.db'}")
    prepare(engine, tmp_path)
    writer = Writer(engine)
    for number in range(20):
        writer.run(lambda transaction, number=number: record(transaction, "officer:li", "alert.claimed", f"a{number}"))
        if number % 6 == 5:
            writer.run(lambda transaction: sign_checkpoint(transaction, KEY))
    return writer


def faults(writer: Writer, kept: tuple[Checkpoint, ...] = (), key: SigningKey = KEY) -> list[str]:
    with writer._engine.connect() as connection:
        return verify(connection, key.public, kept).faults


def change(writer: Writer, statement: Any) -> None:
    def job(transaction: Transaction) -> None:
        transaction.connection.execute(statement)

    writer.run(job)


def test_an_untouched_log_is_intact(writer: Writer) -> None:
    with writer._engine.connect() as connection:
        verdict = verify(connection, KEY.public)
    assert (verdict.entries, verdict.checkpoints, verdict.unsigned, verdict.faults) == (20, 3, 2, [])


@pytest.mark.parametrize(
    ("tamper", "fault"),
    [
        (
            lambda: update(schema.audit).where(schema.audit.c.leaf == 3).values(actor="officer:wang"),
            "entry 3 was changed",
        ),
        (lambda: update(schema.audit).where(schema.audit.c.leaf == 3).values(time="2020"), "entry 3 was changed"),
        (lambda: update(schema.audit).where(schema.audit.c.leaf == 3).values(details="{}x"), "entry 3 was changed"),
        (
            lambda: update(schema.audit).where(schema.audit.c.leaf == 3).values(details="erased", salt=""),
            "1 entries were erased, the log tells of 0",
        ),
        (lambda: delete(schema.audit).where(schema.audit.c.leaf == 3), "entry 3 is missing"),
        (lambda: delete(schema.audit).where(schema.audit.c.leaf > 10), "checkpoint 18: the log ends before it, at 11"),
        (lambda: update(schema.audit_checkpoint).values(root="0" * 64), "checkpoint 6: the signature does not hold"),
    ],
)
def test_every_way_of_rewriting_is_noticed(writer: Writer, tamper: Callable[[], Any], fault: str) -> None:
    change(writer, tamper())
    assert fault in faults(writer)


def test_a_log_rewritten_with_all_its_hashes_is_noticed_by_its_checkpoints(writer: Writer) -> None:
    with writer._engine.connect() as connection:
        row = connection.execute(select(schema.audit).where(schema.audit.c.leaf == 3)).one()
    digest = merkle.leaf_hash(leaf_bytes(row.time, row.action, details_digest(row.salt, "officer:wang", "a3", "{}")))
    values = {"actor": "officer:wang", "leaf_hash": digest.hex()}
    change(writer, update(schema.audit).where(schema.audit.c.leaf == 3).values(**values))
    assert "checkpoint 6: the log had other entries when it was signed" in faults(writer)


def test_a_whole_new_log_is_noticed_by_a_checkpoint_kept_elsewhere(writer: Writer) -> None:
    with writer._engine.connect() as connection:
        row = connection.execute(select(schema.audit_checkpoint)).first()
    assert row is not None
    kept = Checkpoint(row.size, row.root, row.time, row.signature)
    assert faults(writer, (kept,)) == []
    for table in (schema.audit, schema.audit_node, schema.audit_checkpoint):
        change(writer, delete(table))
    for _ in range(20):
        writer.run(lambda transaction: record(transaction, "officer:li", "alert.claimed", "x"))
    writer.run(lambda transaction: sign_checkpoint(transaction, KEY))
    assert faults(writer, (kept,)) == ["checkpoint 6: the log had other entries when it was signed"]


def test_a_person_is_erased_and_the_log_stays_intact(writer: Writer) -> None:
    assert writer.run(lambda transaction: erase(transaction, "test", "li")) == 20
    with writer._engine.connect() as connection:
        verdict = verify(connection, KEY.public)
        assert not any("li" in row for row in connection.execute(select(schema.audit.c.actor, schema.audit.c.object)))
    assert (verdict.faults, verdict.erased, verdict.entries) == ([], 20, 21)


def test_another_key_signs_nothing_of_ours(writer: Writer) -> None:
    assert len(faults(writer, key=SigningKey.generate())) == 3


def test_the_command_says_intact_and_fails_when_not(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with RunningCenter(tmp_path / "center") as running:
        running.add_account("li", "officer")
        running.center.writer.run(lambda transaction: sign_checkpoint(transaction, running.center.key))
    parser = argparse.ArgumentParser()
    verify_command.configure(parser)
    arguments = parser.parse_args(["verify", "--state", str(tmp_path / "center")])
    assert verify_command.run(arguments) == 0
    assert capsys.readouterr().out.endswith("intact\n")
    engine = open_engine(f"sqlite:///{tmp_path / 'center' / 'center.db'}")
    with engine.begin() as connection:
        connection.execute(update(schema.audit).values(object="somebody else"))
    engine.dispose()
    assert verify_command.run(arguments) == 1
    assert "entry 0 was changed" in capsys.readouterr().out
    with pytest.raises(InputError, match=r"has no center\.db"):
        verify_command.run(parser.parse_args(["verify", "--state", str(tmp_path)]))


def test_an_auditor_gets_a_proof_that_leads_to_the_signed_root(running: RunningCenter) -> None:
    for number in range(9):
        running.add_account(f"officer{number}", "officer")
    running.center.writer.run(lambda transaction: sign_checkpoint(transaction, running.center.key))
    headers = {"Authorization": f"Bearer {running.service_token('auditor')}"}
    proof = httpx.get(f"{running.url}/api/v1/audit/4/proof", headers=headers).json()
    root = merkle.root_from_inclusion(
        4,
        proof["checkpoint"]["size"],
        bytes.fromhex(proof["leaf_hash"]),
        [bytes.fromhex(step) for step in proof["path"]],
    )
    assert root.hex() == proof["checkpoint"]["root"]
    assert httpx.get(f"{running.url}/api/v1/audit/400/proof", headers=headers).status_code == 404
    officer = {"Authorization": f"Bearer {running.service_token('officer')}"}
    assert httpx.get(f"{running.url}/api/v1/audit/4/proof", headers=officer).status_code == 403
    assert json.dumps(proof)
