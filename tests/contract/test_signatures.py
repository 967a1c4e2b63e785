from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inspection_contract.sealing import SealError, identifier_digest, open_name, seal_name
from inspection_contract.signatures import SignatureError, SigningKey, VerifyKey, request_headers, verify_request

KEY = SigningKey.generate()


def check(
    body: bytes, headers: dict[str, str], *, key: SigningKey = KEY, method: str = "POST", path: str = "/e"
) -> str:
    return verify_request(
        key.public, method=method, path=path, body=body, digest=headers["Content-Digest"],
        signature_input=headers["Signature-Input"], signature=headers["Signature"],
    ).robot  # fmt: skip


@given(st.binary(max_size=200))
def test_a_signed_request_holds_and_names_robot_and_time(body: bytes) -> None:
    now = datetime(2026, 3, 1, tzinfo=UTC)
    headers = request_headers(KEY, robot="hall_2", method="POST", path="/e", body=body, now=now)
    assert check(body, headers) == "hall_2"


def test_any_change_breaks_the_signature() -> None:
    body = b"[1]"
    headers = request_headers(KEY, robot="hall_2", method="POST", path="/e", body=body)
    for changed in (
        lambda: check(b"[2]", headers),
        lambda: check(body, headers, path="/other"),
        lambda: check(body, headers, method="PUT"),
        lambda: check(body, headers, key=SigningKey.generate()),
        lambda: check(body, headers | {"Signature-Input": headers["Signature-Input"].replace("hall_2", "hall_3")}),
        lambda: check(body, headers | {"Signature": "robot=::"}),
        lambda: check(body, headers | {"Signature-Input": ""}),
        lambda: check(b"[2]", headers | request_headers(KEY, robot="r", method="POST", path="/x", body=b"[2]")),
    ):
        with pytest.raises(SignatureError):
            changed()


def test_keys_read_back_and_other_texts_are_refused() -> None:
    again = SigningKey.from_text(KEY.to_text())
    VerifyKey.from_text(KEY.public.to_text()).verify(b"x", again.sign(b"x"))
    for text in ("", "abc", "é" * 43, "A" * 44):
        with pytest.raises(SignatureError):
            VerifyKey.from_text(text)


def test_identifiers_compare_by_what_they_mean_under_the_robots_key_only() -> None:
    key, other = b"k" * 32, b"o" * 32
    assert identifier_digest(key, "document_number", "e 123-456") == identifier_digest(
        key, "document_number", "Ｅ１２３４５６"
    )
    assert identifier_digest(key, "document_number", "E123456") != identifier_digest(
        other, "document_number", "E123456"
    )
    assert identifier_digest(key, "bag_tag", "E123456") != identifier_digest(key, "document_number", "E123456")


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=100))
def test_a_sealed_name_opens_for_its_entry_and_key_only(name: str) -> None:
    sealed = seal_name(b"k" * 32, "w1", name)
    assert open_name(b"k" * 32, "w1", sealed) == name
    for key, entry, text in ((b"o" * 32, "w1", sealed), (b"k" * 32, "w2", sealed), (b"k" * 32, "w1", sealed[:-3])):
        with pytest.raises(SealError):
            open_name(key, entry, text)
