"""Mapping files, records read by them, signatures of webhooks, CAP documents: pure, without a center."""

from __future__ import annotations

import base64
import json
import os
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from inspection_center.exchange import cap
from inspection_center.exchange.mapping import mapping_files, read_export, read_import
from inspection_center.exchange.partners import read_partners
from inspection_center.exchange.reading import Record, Refused, read_records
from inspection_center.exchange.signing import (
    Ed25519SigningKey,
    Ed25519VerifyKey,
    HmacKey,
    public_key_text,
    sign,
    verify,
)
from inspection_center.problems import Unfit
from inspection_contract.errors import InputError
from inspection_contract.resources import share
from inspection_contract.signatures import SignatureError, SigningKey

FOLDER = share() / "config" / "exchange"
CSV = read_import(FOLDER / "import_single_window_csv.yaml")
JSON = read_import(FOLDER / "import_single_window_json.yaml")
HEADER = (
    "registration_number,declaration_number,company,goods_name,hs_code,origin,quantity,unit,net_weight_kg,value,currency,"
    "container,code_kind,code"
)
CAR = '3201966a2b,D-1,Blue Cars,Car,870323,de,1,pcs,1500,"30,000",USD,MSKU1234565,VIN,1M8GDM9AXKP042788'
WINE = "3201966A2B,D-2,Blue Cars,Wine,220421,FR,600,btl,900,6000,EUR,,LOT,L77-A"
SCHEMA = etree.XMLSchema(etree.parse(Path(__file__).parent / "data" / "cap_1_2.xsd"))


def csv_file(*rows: str, header: str = HEADER) -> bytes:
    return "\r\n".join([header, *rows]).encode()


def test_every_mapping_file_that_ships_is_sound() -> None:
    assert len(mapping_files(FOLDER, "import")) >= 3
    for path in mapping_files(FOLDER, "import").values():
        assert read_import(path).name == path.stem
    for path in mapping_files(FOLDER, "export").values():
        assert read_export(path).name == path.stem
    assert read_partners(FOLDER / "partners.yaml", SigningKey.generate()).targets == {}


@pytest.mark.parametrize(
    ("line", "change", "fault"),
    [
        (4, ("name: import_single_window_csv\n", "name: No Name\n"), "name"),
        (9, ("  registration_number:", "  registration_no:"), "registration_no: there is no such field"),
        (9, ("{from: registration_number, upper: true}", "{upper: true}"), "either `from` or `value`"),
        (15, ("    description:", "    describtion:"), "describtion: there is no such field"),
        (8, ("  company: {from: company}\n", ""), "company is missing"),
        (18, ("type: number}\n    unit", "type: numeric}\n    unit"), "type"),
    ],
)
def test_a_faulty_mapping_file_is_refused_with_its_line(
    line: int, change: tuple[str, str], fault: str, tmp_path: Path
) -> None:
    text = (FOLDER / "import_single_window_csv.yaml").read_text(encoding="utf-8")
    assert change[0] in text
    path = tmp_path / "import_x.yaml"
    path.write_text(text.replace(*change), encoding="utf-8")
    with pytest.raises(InputError) as refused:
        read_import(path)
    assert fault in str(refused.value)
    assert abs(int(str(refused.value).split("line ")[1].split(":")[0]) - line) <= 2


def test_rows_of_one_declaration_become_its_items() -> None:
    second = WINE.replace("D-2", "D-1").replace("L77-A", "L78-B")
    found = read_records(csv_file(CAR, second, WINE), CSV)
    assert [type(one) for one in found] == [Record, Record]
    first = found[0]
    assert isinstance(first, Record)
    assert first.external_id == "3201966A2B/D-1"
    assert [(item.code_kind, item.value, item.origin) for item in first.declaration.items] == [
        ("vin", 30000.0, "DE"),
        ("lot", 6000.0, "FR"),
    ]


def test_a_bad_row_is_refused_with_its_line_and_costs_the_others_nothing() -> None:
    broken = CAR.replace("1M8GDM9AXKP042788", "1M8GDM9AXKP042789").replace("D-1", "D-3")
    no_number = WINE.replace(",600,", ",many,").replace("D-2", "D-4")
    found = read_records(csv_file(CAR, broken, no_number, WINE), CSV)
    assert [type(one) for one in found] == [Record, Refused, Refused, Record]
    assert isinstance(found[1], Refused)
    assert isinstance(found[2], Refused)
    assert found[1].place == "line 3"
    assert "check digit" in found[1].reason
    assert found[2] == Refused("line 4", "quantity: 'many' is no number")


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"", "column registration_number is missing"),
        (csv_file(), "no record"),
        (csv_file("a,b"), "line 2: has 2 columns"),
        (csv_file(CAR, header=HEADER.replace("hs_code", "hs")), "column hs_code is missing"),
        (csv_file(CAR, header=HEADER.replace("hs_code", "unit")), "twice"),
        (csv_file('"unclosed'), "line"),
        (b"\xff\xfe" + csv_file(CAR), "byte 0 is not utf-8"),
        (csv_file(CAR).replace(b"Blue", b"\x00lue"), "NUL"),
    ],
)
def test_what_is_no_such_table_is_refused_as_a_whole(content: bytes, fault: str) -> None:
    with pytest.raises(Unfit, match=fault):
        read_records(content, CSV)


def document(**changes: object) -> dict[str, object]:
    record: dict[str, object] = {
        "id": "sw-1",
        "trader": {"registration": "3201966a2b", "name": "Blue Cars"},
        "number": "D-1",
        "kind": "GOODS",
        "goods": [{"name": "Wine", "hs": "220421", "weight_kg": 900, "mark": {"kind": "lot", "code": "L77-A"}}],
    }
    return {"declarations": [{**record, **changes}]}


def test_nested_json_is_read_by_paths() -> None:
    (found,) = read_records(json.dumps(document()).encode(), JSON)
    assert isinstance(found, Record)
    assert found.external_id == "sw-1"
    assert found.declaration.registration_number == "3201966A2B"
    assert found.declaration.items[0].code == "L77-A"


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"kind": "CAT"}, "'CAT' is none of SHIP"),
        ({"goods": "wine"}, "goods: is no list"),
        ({"goods": []}, "at least one item"),
        ({"trader": None}, "registration_number"),
        ({"id": "x" * 201}, "external id"),
        ({"number": {"a": 1}}, "number: is no single value"),
    ],
)
def test_a_bad_record_is_refused_with_its_place(changes: dict[str, object], fault: str) -> None:
    (found,) = read_records(json.dumps(document(**changes)).encode(), JSON)
    assert isinstance(found, Refused)
    assert found.place == "record 1"
    assert fault in found.reason


@pytest.mark.parametrize("content", [b"{", b"[1]", b"NaN", b"[" * 100_000, b"null", b'{"declarations": 3}'])
def test_what_is_no_such_document_is_refused_as_a_whole(content: bytes) -> None:
    with pytest.raises(Unfit):
        read_records(content, JSON)


@given(st.one_of(st.binary(max_size=300), st.text(max_size=300).map(str.encode)))
def test_no_bytes_break_the_readers(content: bytes) -> None:
    for mapping in (CSV, JSON):
        try:
            found = read_records(content, mapping)
        except Unfit:
            continue
        assert all(isinstance(one, Record | Refused) for one in found)


KEYS = st.sampled_from(["hmac", "ed25519"])


def pair(kind: str) -> tuple[HmacKey | Ed25519SigningKey, HmacKey | Ed25519VerifyKey]:
    if kind == "hmac":
        key = HmacKey(os.urandom(32))
        return key, key
    private = Ed25519PrivateKey.generate()
    return Ed25519SigningKey(private), Ed25519VerifyKey.from_text(public_key_text(private))


@given(KEYS, st.binary(max_size=200), st.integers(0, 2**31))
def test_a_signed_message_holds_and_any_change_of_it_does_not(kind: str, body: bytes, now: int) -> None:
    signer, verifier = pair(kind)
    headers = sign(signer, "msg_1", now, body)
    given_headers = (headers["webhook-id"], headers["webhook-timestamp"], headers["webhook-signature"])
    verify(verifier, *given_headers, body, now + 299)
    other, _ = pair(kind)
    for changed in (
        ("msg_2", *given_headers[1:], body),
        (given_headers[0], str(now + 1), given_headers[2], body),
        (*given_headers, body + b"x"),
        (*given_headers[:2], sign(other, "msg_1", now, body)["webhook-signature"], body),
        (*given_headers[:2], "", body),
        (*given_headers[:2], "v1,", body),
        ("", *given_headers[1:], body),
        (given_headers[0], "soon", given_headers[2], body),
    ):
        with pytest.raises(SignatureError):
            verify(verifier, *changed, now)
    with pytest.raises(SignatureError, match="old"):
        verify(verifier, *given_headers, body, now + 301)


def test_the_example_of_standard_webhooks_holds() -> None:
    # The worked example that the specification's own libraries test against.
    key = HmacKey.from_text("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    body = b'{"test": 2432232314}'
    signature = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    verify(key, "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", signature, body, 1614265330.0)


@pytest.mark.parametrize("text", ["", "whsec_", "whsec_!!!", f"whsec_{base64.b64encode(bytes(8)).decode()}"])
def test_weak_or_broken_secrets_are_refused(text: str) -> None:
    with pytest.raises(SignatureError):
        HmacKey.from_text(text)


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        ("partners:\n  - {name: a, sends: {mapping: nothing, secret_variable: PARTNER_SECRET}}\n", "nothing"),
        ("partners:\n  - {name: a, sends: {mapping: import_single_window_csv}}\n", "line 2.*secret_variable"),
        ("partners:\n  - name: a\n    receives: {url: 'ftp://x', secret_variable: PARTNER_SECRET}\n", "line 3"),
        ("partners:\n  - {name: a}\n  - {name: a}\n", "line 3.*twice"),
        ("partners:\n  - name: a\n    receives: {url: 'http://x', secret_variable: NOT_THERE_AT_ALL}\n", "NOT_THERE"),
        ("partners:\n  - {name: a, sends: {mapping: ../x, secret_variable: PARTNER_SECRET}}\n", "file name"),
        ("ais:\n  - {name: mast, source: 'serial:/dev/x'}\n", "line 2"),
    ],
)
def test_a_faulty_partners_file_is_refused_with_its_line(
    content: str, fault: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PARTNER_SECRET", f"whsec_{base64.b64encode(bytes(range(32))).decode()}")
    path = tmp_path / "partners.yaml"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(InputError, match=f"(?s).*{fault}"):
        read_partners(path, SigningKey.generate())


def alert(**changes: object) -> dict[str, object]:
    return {
        "id": "0d4c6b1e-2f37-4f25-9a7c-6f2a1b3c4d5e",
        "kind": "radiation.rise",
        "severity": 3,
        "opened": "2026-11-20T08:00:00.123456Z",
        "state": "approved",
        "event": {"zh-CN": "辐射升高", "en-US": "Radiation rise"},
        "headline": {"zh-CN": "辐射升高", "en-US": "Radiation rise"},
        "place": "x 1 m, y 2 m",
        **changes,
    }


@given(
    st.fixed_dictionaries(
        {
            "severity": st.integers(0, 4),
            "state": st.sampled_from(["approved", "handed_over", "dismissed", "closed"]),
            "kind": st.sampled_from(["radiation.rise", "thermal.fever", "document.watchlist", "odor.family", "x.y"]),
            "place": st.text(min_size=1, max_size=40),
            "latitude_deg": st.floats(-89, 89),
            "longitude_deg": st.floats(-180, 180),
        }
    ),
    st.text(max_size=40),
)
def test_every_alert_is_a_valid_cap_document(changes: dict[str, object], sender: str) -> None:
    root = etree.fromstring(cap.write_alert(alert(**changes), sender))
    SCHEMA.assertValid(root)
    assert [one.text for one in root.iter(f"{{{cap.NAMESPACE}}}language")] == ["zh-CN", "en-US"]


def test_a_dismissed_alert_cancels_the_one_that_was_told() -> None:
    namespace = {"c": cap.NAMESPACE}
    told = etree.fromstring(cap.write_alert(alert(), "port@example"))
    taken_back = etree.fromstring(cap.write_alert(alert(state="dismissed"), "port@example"))
    parts = [told.findtext(f"c:{name}", namespaces=namespace) for name in ("sender", "identifier", "sent")]
    assert taken_back.findtext("c:references", namespaces=namespace) == ",".join(str(part) for part in parts)
    assert taken_back.findtext("c:msgType", namespaces=namespace) == "Cancel"
