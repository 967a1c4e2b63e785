from __future__ import annotations

import hashlib
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inspection_contract.errors import InputError
from inspection_robot.evidence import EvidenceError, EvidenceStore


@pytest.fixture
def store(tmp_path: Path) -> EvidenceStore:
    return EvidenceStore(tmp_path / "evidence")


@given(data=st.binary(max_size=300))
def test_what_is_put_is_got_under_its_hash(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    store = EvidenceStore(tmp_path_factory.getbasetemp() / "property")
    reference = store.put(data, "image/png", "overlay", "incident")
    assert reference.sha256 == hashlib.sha256(data).hexdigest()
    assert (reference.size_bytes, reference.role, reference.retention) == (len(data), "overlay", "incident")
    assert store.get(reference.sha256) == data


def test_many_writers_of_the_same_bytes_leave_one_file(store: EvidenceStore) -> None:
    with ThreadPoolExecutor(8) as pool:
        references = list(pool.map(lambda _: store.put(b"same" * 1000, "image/png"), range(64)))
    assert len(set(references)) == 1
    assert [stored.sha256 for stored in store.iterate()] == [references[0].sha256]
    assert store.total_bytes() == 4000


def test_damaged_bytes_are_noticed(store: EvidenceStore) -> None:
    reference = store.put(b"true picture", "image/png")
    store.path(reference.sha256).write_bytes(b"false picture")
    with pytest.raises(EvidenceError, match="damaged"):
        store.get(reference.sha256)


@pytest.mark.parametrize("name", ["", "../../../etc/passwd", "A" * 64, "0" * 63, "0" * 62 + "/x", "0" * 64 + "\n"])
def test_no_name_leads_out_of_the_folder(store: EvidenceStore, name: str) -> None:
    with pytest.raises(EvidenceError, match="not a SHA-256"):
        store.get(name)


def test_too_large_evidence_is_refused_and_nothing_is_left(tmp_path: Path) -> None:
    store = EvidenceStore(tmp_path, maximum_bytes=10)
    with pytest.raises(EvidenceError, match="limit of 10"):
        store.put(b"x" * 11, "image/png")
    assert list(tmp_path.rglob("*")) == []


def test_a_write_that_fails_leaves_no_partial_file(store: EvidenceStore, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(EvidenceError, match="disk is full"):
        store.put(b"x", "image/png")
    monkeypatch.undo()
    assert list(store.iterate()) == []
    assert [path for path in store.folder.rglob("*") if path.is_file()] == []


def test_leftovers_of_a_crash_are_cleared_but_not_those_being_written(store: EvidenceStore) -> None:
    reference = store.put(b"x", "image/png")
    folder = store.path(reference.sha256).parent
    fresh, stale = folder / "a.1.part", folder / "b.1.part"
    fresh.touch()
    stale.touch()
    os.utime(stale, (0, 0))
    assert [stored.sha256 for stored in store.iterate()] == [reference.sha256]
    assert fresh.exists()
    assert not stale.exists()


def test_removed_evidence_is_gone(store: EvidenceStore) -> None:
    reference = store.put(b"x", "image/png")
    assert store.remove(reference.sha256) is True
    assert store.remove(reference.sha256) is False
    assert not store.has(reference.sha256)


def test_a_file_in_the_folders_place_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="cannot be the evidence folder"):
        EvidenceStore(tmp_path / "file")
