#!/usr/bin/env python3
"""Verify a draw from its proof file. Needs Python 3.9 or newer and nothing else: no package, no network.

    python3 verify_draw.py PROOF.json [--published SHA256] [--beacon RECORD.json] [--mine MINE.json] [--zh]

It computes everything anew and says, line by line, what it checked. Give it what you know from elsewhere:
--published the digest that was on the public page (or in your notes) BEFORE the draw; --beacon the record of the round
fetched by yourself from the beacon; --mine the label and salt of your own entry, to see whether it took part.
Exit status: 0 everything holds, 1 something does not, 2 the file cannot be read.
"""

from __future__ import annotations

import argparse
import hashlib
import hmac
import json
import sys
from datetime import datetime, timezone
from decimal import Context, Decimal
from pathlib import Path
from typing import Any, NamedTuple

ATTEMPTS = 100
KEYS = {
    "proof": "format statement statement_sha256 items places labels secret party_secret beacon seed attempt result",
    "statement": "format series number kind purpose replaces follows rule items places load_factor secret_sha256 "
    "party_sha256 beacon strength committed",
    "item": "leaf weight always capacity classes",
    "place": "leaf count candidates at_least at_most",
    "beacon": "kind round randomness signature",
}


class Check(NamedTuple):
    """One line of the report: verdict "ok", "FAIL" or "note", in English and Chinese."""

    verdict: str
    en: str
    zh: str


class MalformedError(Exception):
    """What makes further checks pointless."""


def canonical(value: Any) -> bytes:
    """Canonical JSON (RFC 8785) of texts, integers, true, false, null, lists and objects with ASCII keys."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def sha256(data: bytes) -> str:
    """SHA-256, hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def verify(
    proof: Any, published: str = "", beacon: dict[str, Any] | None = None, mine: dict[str, Any] | None = None
) -> list[Check]:
    """Every check of a proof, in order; the draw holds if none is a FAIL."""
    checks: list[Check] = []

    def check(holds: bool, en: str, zh: str) -> None:
        checks.append(Check("ok" if holds else "FAIL", en, zh))

    def note(en: str, zh: str) -> None:
        checks.append(Check("note", en, zh))

    try:
        _check_form(proof)
        _verify(proof, published, beacon, mine, check, note)
    except (MalformedError, ArithmeticError, AttributeError, LookupError, OSError, TypeError, ValueError) as error:
        reason = f"{type(error).__name__}: {error}"[:200]
        check(False, f"the file has the form of a proof ({reason})", f"文件具有证明的格式（{reason}）")
    return checks


def _verify(
    proof: dict[str, Any],
    published: str,
    beacon: dict[str, Any] | None,
    mine: dict[str, Any] | None,
    check: Any,
    note: Any,
) -> None:
    statement = proof["statement"]
    title = f"{statement['kind']} {statement['series']} #{statement['number']}"
    check(True, f"the file has the form of a proof: {title}", f"文件具有证明的格式：{title}")
    digest = sha256(canonical(statement))
    check(digest == proof["statement_sha256"], f"the statement has the digest {digest}", f"声明的摘要为 {digest}")
    if published:
        check(digest == published.strip().lower(), "it is the digest published before", "与事先公布的摘要一致")
    else:
        note(
            "compare this digest with the one published BEFORE the draw (--published)",
            "请与抽取前公布的摘要比较（--published）",
        )
    if statement["replaces"]["number"]:
        reason = statement["replaces"]["reason"]
        note(
            f"this draw replaces #{statement['replaces']['number']}: {reason}",
            f"本次重抽，替代第 {statement['replaces']['number']} 号：{reason}",
        )
    for name, zh in (("items", "对象清单"), ("places", "位置清单")):
        entries = proof[name]
        same = sha256(canonical(entries)) == statement[name]["sha256"] and len(entries) == statement[name]["count"]
        check(
            same,
            f"the list of {len(entries)} {name} with their weights is the committed one",
            f"{len(entries)} 项{zh}及权重与承诺一致",
        )
        check(
            len({entry["leaf"] for entry in entries}) == len(entries),
            f"no entry of the {name} stands there twice",
            f"{zh}无重复",
        )
    _check_labels(proof, check, note)
    _check_sources(proof, check, note, beacon)
    parts = {
        "statement": digest,
        "secret": proof["secret"],
        "beacon": proof["beacon"]["randomness"] if proof["beacon"] else "",
        "party": proof["party_secret"],
    }
    seed = sha256(canonical(parts))
    check(
        seed == proof["seed"],
        "the seed is the hash of statement, secret and public randomness",
        "种子由声明、秘密与公共随机数得出",
    )
    attempt, result = select(bytes.fromhex(seed), proof["items"], proof["places"], statement["load_factor"])
    same = attempt == proof["attempt"] and result == proof["result"]
    drawn = sum(len(chosen) for chosen in proof["result"])
    check(
        same,
        f"computed anew, the race draws the same {drawn}, in the same order",
        f"重新计算，抽出相同的 {drawn} 项，次序相同",
    )
    certain = sum(1 for item in proof["items"] if item["always"])
    if certain:
        note(f"{certain} were taken by a rule with certainty, not by chance", f"其中 {certain} 项按规则必抽，非随机")
    if mine is not None:
        _look_for(mine, proof, check, note)


def select(
    seed: bytes, items: list[dict[str, Any]], places: list[dict[str, Any]], load_factor: int
) -> tuple[int, list[list[int]]]:
    """The race: t = -ln(u) * load_factor**(places already got) / weight; the shortest times win."""
    context = Context(prec=28)
    for attempt in range(1, ATTEMPTS + 1):
        got = [0] * len(items)
        result: list[list[int]] = []
        for place in places:
            runners = []
            for position in range(len(items)) if place["candidates"] is None else place["candidates"]:
                item = items[position]
                if item["capacity"] and got[position] >= item["capacity"]:
                    continue
                message = f"{attempt}|{place['leaf']}|{item['leaf']}".encode()
                number = int.from_bytes(hmac.new(seed, message, hashlib.sha256).digest()[:8], "big")
                u = context.divide(Decimal(2 * number + 1), Decimal(2**65))
                time = context.multiply(context.minus(context.ln(u)), Decimal(load_factor ** got[position]))
                runners.append((context.divide(time, Decimal(item["weight"])), item["leaf"], position))
            drawn = fill(place, items, [position for _, _, position in sorted(runners)])
            if drawn is None:
                break
            for position in drawn:
                got[position] += 1
            result.append(drawn)
        else:
            return attempt, result
    return 0, []


def fill(place: dict[str, Any], items: list[dict[str, Any]], order: list[int]) -> list[int] | None:
    """Take who must be taken, then what coverage asks for, then the fastest."""
    drawn = [position for position in order if items[position]["always"]]

    def has(position: int, name: str) -> bool:
        return name in items[position]["classes"]

    def take(wanted: str, until: int) -> None:
        for position in order:
            if (sum(has(d, wanted) for d in drawn) if wanted else len(drawn)) >= until:
                return
            if position in drawn or (wanted and not has(position, wanted)):
                continue
            full = [b for b in place["at_most"] if sum(has(d, b["class"]) for d in drawn) >= b["count"]]
            if not any(has(position, bound["class"]) for bound in full):
                drawn.append(position)

    for bound in place["at_least"]:
        take(bound["class"], bound["count"])
        if sum(has(d, bound["class"]) for d in drawn) < bound["count"]:
            return None
    take("", place["count"])
    return drawn if len(drawn) >= place["count"] else None


def _check_form(proof: Any) -> None:
    _keys(proof, "proof")
    statement = proof["statement"]
    _keys(statement, "statement")
    if proof["format"] != "inspection.draw.proof.1" or statement["format"] != "inspection.draw.1":
        raise MalformedError("another format")
    for item in proof["items"]:
        _keys(item, "item")
        if type(item["weight"]) is not int or item["weight"] < 1 or type(item["always"]) is not bool:
            raise MalformedError("a weight is no positive integer")
    for place in proof["places"]:
        _keys(place, "place")
        for position in place["candidates"] or []:
            if type(position) is not int or not 0 <= position < len(proof["items"]):
                raise MalformedError("a candidate is not in the list")
    for name in ("secret", "seed", "party_secret"):
        bytes.fromhex(proof[name])
    if not isinstance(proof["labels"], dict) or set(proof["labels"]) != {"items", "places"}:
        raise MalformedError("labels")
    if type(statement["load_factor"]) is not int or not 1 <= statement["load_factor"] <= 16:
        raise MalformedError("load_factor")
    canonical(proof).decode()
    _no_floats(proof)


def _keys(value: Any, name: str) -> None:
    if not isinstance(value, dict) or set(value) != set(KEYS[name].split()):
        raise MalformedError(f"the keys of a {name}")


def _no_floats(value: Any) -> None:
    if isinstance(value, float):
        raise MalformedError("a number with a fraction")
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        _no_floats(inner)


def _check_labels(proof: dict[str, Any], check: Any, note: Any) -> None:
    for name, zh in (("items", "对象"), ("places", "位置")):
        labels, entries = proof["labels"][name], proof[name]
        shown = [(label, entry) for label, entry in zip(labels, entries) if label is not None]  # noqa: B905
        holds = len(labels) == len(entries) and all(
            set(label) == {"label", "salt"}
            and sha256(bytes.fromhex(label["salt"]) + canonical(label["label"])) == entry["leaf"]
            for label, entry in shown
        )
        if shown or not holds:
            check(
                holds,
                f"the {len(shown)} names shown of the {name} belong to their digests",
                f"所公布的 {len(shown)} 个{zh}名称与其摘要相符",
            )
        if len(shown) < len(entries):
            note(
                f"{len(entries) - len(shown)} of the {name} are not named here; who knows a salt can look (--mine)",
                f"{len(entries) - len(shown)} 个{zh}未具名，持有盐值者可自查（--mine）",
            )


def _check_sources(proof: dict[str, Any], check: Any, note: Any, own: dict[str, Any] | None) -> None:
    statement, record, promised = proof["statement"], proof["beacon"], proof["statement"]["beacon"]
    secret_holds = sha256(bytes.fromhex(proof["secret"])) == statement["secret_sha256"]
    check(secret_holds, "the center's secret is the one it had committed to", "中心的秘密与其承诺一致")
    party = statement["party_sha256"]
    if party or proof["party_secret"]:
        holds = sha256(bytes.fromhex(proof["party_secret"])) == party
        check(holds, "the second party's secret is the one it had committed to", "第二方的秘密与其承诺一致")
    check(bool(promised or party), "a beacon or a second party took part", "有信标或第二方参与")
    check(
        statement["strength"] == ("beacon" if promised else "two_party"), "its strength is told truly", "强度标注属实"
    )
    if promised is None:
        check(record is None, "no beacon was promised and none is used", "未承诺信标，亦未使用")
        note(
            "WEAKER: center and second party together could have chosen the result; no public beacon",
            "较弱：未使用公共信标，若中心与第二方串通则可操纵结果",
        )
        return
    if not isinstance(record, dict) or set(record) != set(KEYS["beacon"].split()):
        check(False, "the beacon's record is there", "有信标记录")
        return
    if promised["kind"] == "drand":
        emitted = promised["genesis"] + (promised["round"] - 1) * promised["period_s"]
    else:
        emitted = promised["round"]
    time = datetime.fromtimestamp(emitted, timezone.utc)  # noqa: UP017 - Python 3.9 has no datetime.UTC
    check(
        f"{time:%Y-%m-%dT%H:%M:%SZ}" == promised["time"],
        f"round {promised['round']} is emitted at {time:%Y-%m-%d %H:%M:%S} UTC",
        f"第 {promised['round']} 轮于 {time:%Y-%m-%d %H:%M:%S}（UTC）发布",
    )
    committed = datetime.fromisoformat(statement["committed"].replace("Z", "+00:00"))
    check(committed < time, f"the commitment is older: {statement['committed']}", f"承诺在先：{statement['committed']}")
    same = (record["kind"], record["round"]) == (promised["kind"], promised["round"])
    check(same, "the record is of the round that was promised", "记录属于所承诺的轮次")
    if record["kind"] == "drand":
        holds = sha256(bytes.fromhex(record["signature"])) == record["randomness"]
        check(holds, "its randomness is the hash of its signature", "其随机数为签名的哈希")
    else:
        check(record["signature"] == "", "a NIST pulse is named by its output value alone", "NIST 脉冲仅以输出值为准")
    if own is None:
        note(
            f"fetch {record['kind']} chain {promised['chain']} round {promised['round']} yourself, compare (--beacon)",
            f"请自行获取 {record['kind']} 链 {promised['chain']} 第 {promised['round']} 轮并比较（--beacon）",
        )
        return
    value = own["pulse"]["outputValue"] if "pulse" in own else own.get("randomness", "")
    check(
        str(value).lower() == record["randomness"],
        "it is what you fetched from the beacon yourself",
        "与您自行获取的信标一致",
    )


def _look_for(mine: dict[str, Any], proof: dict[str, Any], check: Any, note: Any) -> None:
    leaf = sha256(bytes.fromhex(str(mine["salt"])) + canonical(mine["label"]))
    found = [position for position, item in enumerate(proof["items"]) if item["leaf"] == leaf]
    check(len(found) == 1, "your entry stands in the list", "您的条目在清单中")
    if found:
        drawn = any(found[0] in chosen for chosen in proof["result"])
        weight = proof["items"][found[0]]["weight"]
        note(
            f"your entry had the weight {weight} and was {'' if drawn else 'NOT '}drawn",
            f"您的条目权重为 {weight}，{'被' if drawn else '未被'}抽中",
        )


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len({key for key, _ in pairs}) < len(pairs):
        raise ValueError("a key stands there twice")
    return dict(pairs)


def read(path: str) -> Any:
    """A JSON file; a key that stands there twice is refused."""
    return json.loads(Path(path).read_text(encoding="utf-8"), object_pairs_hook=_unique)


def main() -> int:
    """Report line by line."""
    parser = argparse.ArgumentParser(description="Verify a draw from its proof file.")
    parser.add_argument("proof", help="the proof file (JSON)")
    parser.add_argument("--published", default="", metavar="SHA256", help="digest of the statement published before")
    parser.add_argument("--beacon", metavar="FILE", help="the beacon's record, fetched by yourself")
    parser.add_argument("--mine", metavar="FILE", help='your entry: {"label": {…}, "salt": "…"}')
    parser.add_argument("--zh", action="store_true", help="报告用中文")
    arguments = parser.parse_args()
    return report(arguments.proof, arguments.published, arguments.beacon, arguments.mine, arguments.zh)


def report(path: str, published: str = "", beacon: str | None = None, mine: str | None = None, zh: bool = False) -> int:
    """Verify a file and print what was checked; the exit status."""
    try:
        proof, record, own = (read(p) if p else None for p in (path, beacon, mine))
    except (OSError, ValueError, RecursionError) as error:
        print(f"verify_draw: {path}: {error}", file=sys.stderr)
        return 2
    checks = verify(proof, published, record, own)
    for found in checks:
        print(f"{found.verdict:4}  {found.zh if zh else found.en}")
    failed = sum(found.verdict == "FAIL" for found in checks)
    if zh:
        print("抽取成立。" if not failed else f"抽取不成立：{failed} 项不符。")
    else:
        print("The draw holds." if not failed else f"The draw does NOT hold: {failed} checks failed.")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
