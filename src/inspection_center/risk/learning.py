"""Weights learnt from results of inspections, offline: a new version for approval, never put in force by itself.

Logistic regression on the factors' values with weights ≥ 0 (a factor that made a case *less* likely to fail would be a
fault of the model, not a discount) and a ridge penalty chosen by cross-validation. With weights β the score is
100 Σ β v / Σ β, and the probability of a failed inspection 1 / (1 + exp(−b − Σ β · score / 100)): the additive score
*is* the regression, so that contributions stay exact.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit
from scipy.stats import rankdata

from inspection_center.problems import Unfit
from inspection_center.risk.model import Calibration, RiskModel, read_model
from inspection_center.risk.scoring import Facts, score

FOLDS = 5
PENALTIES = (0.1, 0.3, 1.0, 3.0, 10.0, 30.0)
FEWEST_FAILED = 30
_Array = NDArray[np.float64]


@dataclass(frozen=True)
class Report:
    """What was learnt, and how well it holds on cases it was not fitted to.

    Attributes:
        cases, failed: what it was learnt from.
        penalty: the ridge penalty with the best cross-validated likelihood.
        auc: area under the ROC curve, cross-validated; `auc_before`: that of the present weights on the same cases.
        log_loss, brier: cross-validated.
        calibration: (mean predicted, share failed, cases) in tenths of the predicted probability.
        weights: factor → (before, after), both as shares of 100.
        unused: factors that never differed among the cases: nothing was learnt about them, they keep their share.
    """

    cases: int
    failed: int
    penalty: float
    auc: float
    auc_before: float
    log_loss: float
    brier: float
    calibration: list[tuple[float, float, int]]
    weights: dict[str, tuple[float, float]]
    unused: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {**self.__dict__, "unused": list(self.unused)}


def learn(model: RiskModel, cases: Sequence[Facts], failed: Sequence[bool], seed: int = 0) -> tuple[str, Report]:
    """Learn weights.

    Args:
        model: the version to start from.
        cases: facts of inspected cases; cases drawn at random, or the weights learn the habits of whoever chose.
        failed: their results.
        seed: of the folds.

    Returns:
        The text of a new version (its number one higher), and the report.

    Raises:
        Unfit: too few failed or passed cases to learn from.
        FactError: a case does not fit the model.
    """
    target = np.array(failed, dtype=np.float64)
    few = int(min(target.sum(), len(target) - target.sum())) if len(target) else 0
    if few < FEWEST_FAILED:
        raise Unfit(f"at least {FEWEST_FAILED} failed and as many passed inspections are needed; there are {few}")
    before = score(model, cases)
    differs = np.ptp(before.values, axis=0) > 0
    if not differs.any():
        raise Unfit("no factor tells failed from passed inspections: the weights sum to nothing")
    values = before.values[:, differs]
    folds = _folds(target, np.random.default_rng(seed))
    losses = {}
    predicted = {}
    for penalty in PENALTIES:
        predicted[penalty] = _cross_validate(values, target, folds, penalty)
        losses[penalty] = _log_loss(predicted[penalty], target)
    penalty = min(losses, key=lambda p: losses[p])
    weights, intercept = fit(values, target, penalty)
    if weights.sum() <= 0:
        raise Unfit("no factor tells failed from passed inspections: the weights sum to nothing")
    old = np.array([factor.weight for factor in model.data.factors])
    shares = old / old.sum()
    learnt_share = float(shares[differs].sum())
    if learnt_share <= 0:
        raise Unfit("the factors that differ among the cases have no weight to share out")
    slope = float(weights.sum()) / learnt_share
    shares[differs] = weights / slope
    # What did not differ adds the same to every score; the intercept takes it out again.
    intercept -= slope * float(before.values[0, ~differs] @ shares[~differs])
    text = _new_version(model, shares, Calibration(intercept=intercept, slope=slope, cases=len(cases)))
    held_out = predicted[penalty]
    report = Report(
        len(cases),
        int(target.sum()),
        penalty,
        auc(held_out, target),
        auc(before.score, target),
        losses[penalty],
        float(np.mean((held_out - target) ** 2)),
        _calibration(held_out, target),
        {
            factor.id: (round(100 * old[i] / old.sum(), 2), round(100 * float(shares[i]), 2))
            for i, factor in enumerate(model.data.factors)
        },
        tuple(factor.id for i, factor in enumerate(model.data.factors) if not differs[i]),
    )
    return text, report


def fit(values: _Array, target: _Array, penalty: float) -> tuple[_Array, float]:
    """Ridge logistic regression with weights ≥ 0; values (n, f), target (n,) of 0 and 1; the weights and intercept."""
    n, f = values.shape

    def loss(parameters: _Array) -> tuple[float, _Array]:
        logit = values @ parameters[:f] + parameters[f]
        residual = expit(logit) - target
        value = float(np.mean(np.logaddexp(0, logit) - target * logit))
        gradient = np.append(values.T @ residual / n, residual.mean())
        gradient[:f] += penalty / n * parameters[:f]
        return value + penalty / (2 * n) * float(parameters[:f] @ parameters[:f]), gradient

    start = np.zeros(f + 1)
    share = np.clip(target.mean(), 1e-6, 1 - 1e-6)
    start[f] = np.log(share / (1 - share))
    found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=[(0, None)] * f + [(None, None)])
    return np.asarray(found.x[:f]), float(found.x[f])


def auc(scores: _Array, target: _Array) -> float:
    """Area under the ROC curve: how often a failed case scores above a passed one, ties counting half."""
    positive = target == 1
    many, few = int(positive.sum()), int((~positive).sum())
    ranks = rankdata(scores)
    return float((ranks[positive].sum() - many * (many + 1) / 2) / (many * few))


def _folds(target: _Array, random: np.random.Generator) -> NDArray[np.int64]:
    """A fold of each case, failed and passed spread evenly."""
    folds = np.empty(len(target), np.int64)
    for value in (0.0, 1.0):
        places = random.permutation(np.flatnonzero(target == value))
        folds[places] = np.arange(len(places)) % FOLDS
    return folds


def _cross_validate(values: _Array, target: _Array, folds: NDArray[np.int64], penalty: float) -> _Array:
    predicted = np.empty(len(target))
    for fold in range(FOLDS):
        outside = folds != fold
        weights, intercept = fit(values[outside], target[outside], penalty)
        predicted[~outside] = expit(values[~outside] @ weights + intercept)
    return predicted


def _log_loss(predicted: _Array, target: _Array) -> float:
    clipped = np.clip(predicted, 1e-12, 1 - 1e-12)
    return float(-np.mean(target * np.log(clipped) + (1 - target) * np.log1p(-clipped)))


def _calibration(predicted: _Array, target: _Array) -> list[tuple[float, float, int]]:
    order = np.argsort(predicted, kind="stable")
    return [
        (round(float(predicted[part].mean()), 4), round(float(target[part].mean()), 4), len(part))
        for part in np.array_split(order, 10)
        if len(part)
    ]


def _new_version(model: RiskModel, shares: _Array, calibration: Calibration) -> str:
    """The model's text with other weights, the next number and the calibration; all else stays as people wrote it."""
    text = re.sub(r"(?m)^version:.*$", f"version: {model.data.version + 1}", model.text, count=1)
    line = (
        f"calibration: {{intercept: {calibration.intercept:.6f}, slope: {calibration.slope:.6f}, "
        f"cases: {calibration.cases}}}"
    )
    if model.data.calibration is not None:
        text = re.sub(r"(?m)^calibration:.*$", line, text, count=1)
    else:
        text = re.sub(r"(?m)^(levels:.*)$", rf"\1\n{line}", text, count=1)
    for factor, share in zip(model.data.factors, shares, strict=True):
        pattern = rf"(\bid: {re.escape(factor.id)},[^\[]*?\bweight: )[0-9.eE+-]+"
        text = re.sub(pattern, rf"\g<1>{100 * share:.4f}", text, count=1)
    written = [factor.weight for factor in read_model(text, f"{model.data.model} learnt").data.factors]
    if not np.allclose(written, 100 * shares, atol=1e-3):
        raise Unfit("weights can be written only where `id` and `weight` of a factor stand in one line, in this order")
    return text
