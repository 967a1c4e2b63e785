"""Rules: declarations scored, objects and officers drawn and verified, a learnt model, supervision over many events."""

from __future__ import annotations

import argparse
import hashlib
import math
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, TypeVar

import numpy as np

from inspection_center.draws import verify_draw
from inspection_center.draws.ledger import rule_of
from inspection_center.draws.planning import Officer, RiskObject, Task, object_plan, officer_plan
from inspection_center.draws.statement import Commitment, Heading, commit, public_proof, reveal
from inspection_center.risk.learning import learn
from inspection_center.risk.model import Fact, RiskModel, read_model_file
from inspection_center.risk.scoring import FactValue, Scores, score
from inspection_center.supervision.throughput import measure
from inspection_contract.resources import share

T = TypeVar("T")
_SECRET = "77" * 32
_KNOWN = 0.8
_LEARNT_FROM = 3000


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--declarations", type=int, default=10_000, help="cases to score (default 10000)")
    parser.add_argument("--drawn", type=int, default=500, help="objects to draw of them (default 500)")
    parser.add_argument("--events", type=int, default=1_000_000, help="events of the supervision (default 1000000)")


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    return {**_risk_and_draws(arguments.declarations, arguments.drawn), **measure(arguments.events)}


def _risk_and_draws(declarations: int, drawn: int) -> dict[str, Any]:
    random = np.random.default_rng(20261120)
    told: dict[str, Any] = {"declarations": declarations, "drawn": drawn}
    for name in ("goods", "ships"):
        model = read_model_file(share() / "config" / "risk" / f"{name}.yaml")
        cases = [_made_up(model, random) for _ in range(declarations)]
        scores, wall_s, cpu_s = _timed(lambda model=model, cases=cases: score(model, cases))  # type: ignore[misc]  # binds the loop's values
        told[f"score_{name}_s"], told[f"score_{name}_cpu_s"] = wall_s, cpu_s
        told[f"score_{name}_per_s"] = round(declarations / wall_s)
        if name == "goods":
            told |= _draws(scores, drawn)
            told |= _learning(model, cases[:_LEARNT_FROM], scores, random)
    return told


def _draws(scores: Scores, drawn: int) -> dict[str, Any]:
    rule = rule_of("objects")
    assert rule.data.objects is not None
    how_many = rule.data.objects.how_many.model_copy(update={"share": 0.0, "minimum": drawn, "maximum": drawn})
    objects = rule.data.objects.model_copy(update={"how_many": how_many, "always": ("warning",)})
    data = rule.data.model_copy(update={"objects": objects})
    waiting = [
        RiskObject(n, f"D{n}", "goods", scores.level_of(n), float(scores.score[n]), f"{n % 90:02d}")
        for n in range(len(scores.score))
    ]
    commitment, prepare_s, _ = _timed(lambda: _commit("objects", object_plan(type(rule)(data, rule.text), waiting)))
    proof, draw_s, draw_cpu_s = _timed(lambda: reveal(commitment, None, _SECRET))
    assert len(proof["result"][0]) == drawn
    _, verify_s, _ = _timed(lambda: _verify(proof, commitment))
    officers = [Officer(f"o{n}", f"unit{n % 6}", n % 3 == 0, load=n % 5) for n in range(60)]
    tasks = [Task(f"D{position}", f"C{position % 400}") for position in proof["result"][0]]
    pairs, pairs_prepare_s, _ = _timed(lambda: _commit("officers", officer_plan(rule_of("officers"), officers, tasks)))
    paired, pairs_s, _ = _timed(lambda: reveal(pairs, None, _SECRET))
    _, pairs_verify_s, _ = _timed(lambda: _verify(paired, pairs))
    loads = np.bincount([position for chosen in paired["result"] for position in chosen], minlength=len(officers))
    leads = np.array(["lead" in item["classes"] for item in pairs.items])
    return {
        "draw_prepare_s": prepare_s,
        "draw_s": draw_s,
        "draw_cpu_s": draw_cpu_s,
        "draw_verify_s": verify_s,
        "pairs": len(tasks),
        "pairs_prepare_s": pairs_prepare_s,
        "pairs_draw_s": pairs_s,
        "pairs_verify_s": pairs_verify_s,
        "lead_least_pairs": int(loads[leads].min()),
        "lead_most_pairs": int(loads[leads].max()),
        "other_least_pairs": int(loads[~leads].min()),
        "other_most_pairs": int(loads[~leads].max()),
    }


def _learning(
    model: RiskModel, cases: list[dict[str, FactValue]], scores: Scores, random: np.random.Generator
) -> dict[str, Any]:
    # Made-up results: three factors decide, the others tell nothing; measured is time, and that these are found.
    telling = ["warnings", "compliance_grade", "certificates"]
    places = [index for index, factor in enumerate(model.data.factors) if factor.id in telling]
    logit = 4 * scores.values[: len(cases), places].sum(axis=1) - 5
    failed = random.random(len(cases)) < 1 / (1 + np.exp(-logit))
    (_, report), wall_s, _ = _timed(lambda: learn(model, cases, [bool(value) for value in failed]))
    found = sum(report.weights[name][1] for name in telling)
    return {
        "learn_s": wall_s,
        "learn_auc_before": round(report.auc_before, 3),
        "learn_auc": round(report.auc, 3),
        "learn_weight_of_telling_percent": round(found, 1),
    }


def _commit(kind: str, plan: Any) -> Commitment:
    moment = datetime.now(UTC).isoformat().replace("+00:00", "Z")
    heading = Heading(f"{kind}/bench", 1, kind, "benchmark", kind, 1, "0" * 64, moment)
    return commit(heading, plan, None, hashlib.sha256(bytes.fromhex(_SECRET)).hexdigest())


def _verify(proof: dict[str, Any], commitment: Commitment) -> None:
    checks = verify_draw.verify(public_proof(proof, False, False), commitment.sha256)
    failures = [check.en for check in checks if check.verdict == "FAIL"]
    assert not failures, failures


def _made_up(model: RiskModel, random: np.random.Generator) -> dict[str, FactValue]:
    """A case of which most is known."""
    facts = model.data.facts
    known = random.random(len(facts)) < _KNOWN
    return {
        name: _value(fact, float(random.random())) for (name, fact), k in zip(facts.items(), known, strict=True) if k
    }


def _value(fact: Fact, u: float) -> FactValue:
    if fact.type == "flag":
        return u < 0.1
    if fact.type == "text":
        return fact.choices[int(u * len(fact.choices))] if fact.choices else f"{int(u * 1e6):06d}"
    low = 0.0 if fact.minimum is None else fact.minimum
    high = 100.0 if fact.maximum is None else min(fact.maximum, 100.0)
    # Most numbers of a declaration are small: few ill, few amendments, short delays.
    return low + (high - low) * math.pow(u, 6)


def _timed(work: Callable[[], T]) -> tuple[T, float, float]:
    wall, cpu = time.perf_counter(), time.process_time()
    made = work()
    return made, round(time.perf_counter() - wall, 3), round(time.process_time() - cpu, 3)
