"""Fever detection of the default rule on a table of measured people (FDA/PhysioNet face-oral-temp-data format)."""

from __future__ import annotations

import argparse
import csv
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from inspection_contract.errors import InputError
from inspection_robot.thermal.core_temperature import DEFAULT_MAPPING, three_site_statistic
from inspection_robot.thermal.decision import DecisionSettings, is_fever

SHOTS = (1, 2, 3)
SITES = {
    "canthi_max": "canthi4Max", "right_canthus": "T_RC_Max", "left_canthus": "T_LC_Max", "face_max": "T_Max",
    "forehead_max": "T_FH_Max", "mouth_max": "T_OR_Max",
}  # fmt: skip
"""Columns of the table, before the number of the shot, whose discrimination is printed beside ours."""


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("data", type=Path, metavar="TABLE.csv", help="e.g. FLIR_groups1and2.csv")


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Apply mapping and rule of the product to every single shot; figures are means over shots 1–3.

    Truth is the oral temperature of the thermometer in monitor mode. ``slope`` is that of the line through estimate
    against truth with error in both (geometric mean regression, the ratio of their standard deviations): 1 means that
    fevers are neither pulled to normal nor exaggerated. ``coverage_95`` is the share of people within 1.96 of the
    stated standard uncertainty.
    """
    table = read_table(arguments.data)
    truth = table["aveOralM"]
    estimates = [estimate(table, shot) for shot in SHOTS]
    shots = [(values[known], truth[known]) for values in estimates if (known := np.isfinite(values + truth)).any()]
    if not shots or not all((oral >= 37.5).any() and (oral < 37.5).any() for _, oral in shots):
        raise InputError(arguments.data, "holds no complete shots of people with and without fever")
    settings = DecisionSettings()
    uncertainty = DEFAULT_MAPPING.residual_c
    decided = [
        (np.array([is_fever(float(v), uncertainty, settings) for v in values]), oral >= 37.5) for values, oral in shots
    ]
    figures: dict[str, float] = {
        "auc_37_5": _mean([area_under_roc(values, oral >= 37.5) for values, oral in shots]),
        "auc_38_0": _mean([area_under_roc(values, oral >= 38.0) for values, oral in shots if (oral >= 38.0).any()]),
        "sensitivity": _mean([flags[fever].mean() for flags, fever in decided]),
        "specificity": _mean([1.0 - flags[~fever].mean() for flags, fever in decided]),
        "mae_c": _mean([np.abs(values - oral).mean() for values, oral in shots]),
        "bias_c": _mean([(values - oral).mean() for values, oral in shots]),
        "slope": _mean([values.std() / oral.std() for values, oral in shots]),
        "coverage_95": _mean([(np.abs(values - oral) <= 1.96 * uncertainty).mean() for values, oral in shots]),
    }
    for name, column in SITES.items():
        values = [_column(table, column, shot) for shot in SHOTS]
        known = [np.isfinite(v + truth) for v in values]
        figures[f"auc_37_5_{name}"] = _mean(
            [area_under_roc(v[k], truth[k] >= 37.5) for v, k in zip(values, known, strict=True) if k.any()]
        )
    return {**{key: round(value, 4) for key, value in figures.items()}, "n": max(len(oral) for _, oral in shots)}


def estimate(table: dict[str, NDArray[np.float64]], shot: int) -> NDArray[np.float64]:
    """Core temperature of everybody from one shot [°C]; NaN where a site was not measured."""
    sites = (_column(table, name, shot) for name in ("T_RC_Max", "T_LC_Max", "T_Max"))
    return DEFAULT_MAPPING.core(three_site_statistic(*sites), table["T_atm"])


def area_under_roc(scores: NDArray[np.float64], positive: NDArray[np.bool_]) -> float:
    """Area under the ROC curve: the probability that a positive scores above a negative (Mann–Whitney)."""
    count, others = int(positive.sum()), int((~positive).sum())
    return float((rankdata(scores)[positive].sum() - count * (count + 1) / 2) / (count * others))


def read_table(path: Path) -> dict[str, NDArray[np.float64]]:
    """Read the columns of a table by the names of its third line; what is no number is NaN.

    Raises:
        InputError: It cannot be read, or a column that is needed is missing.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.reader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(path, f"cannot be read ({error})") from error
    header = next((n for n, row in enumerate(rows[:10]) if "aveOralM" in (cell.strip() for cell in row)), None)
    if header is None:
        raise InputError(path, "has no line of column names with aveOralM")
    names = [cell.strip() for cell in rows[header]]
    people = [row for row in rows[header + 1 :] if any(cell.strip() for cell in row)]
    table = {
        name: np.array([_number(row[index]) if index < len(row) else np.nan for row in people])
        for index, name in enumerate(names)
        if name
    }
    missing = [name for name in ("T_RC_Max1", "T_LC_Max1", "T_Max1", "T_atm") if name not in table]
    if missing:
        raise InputError(path, f"lacks the columns {', '.join(missing)}")
    return table


def _column(table: dict[str, NDArray[np.float64]], name: str, shot: int) -> NDArray[np.float64]:
    return table.get(f"{name}{shot}", np.full(len(table["aveOralM"]), np.nan))


def _number(cell: str) -> float:
    try:
        return float(cell)
    except ValueError:
        return float("nan")


def _mean(values: list[Any]) -> float:
    return float(np.mean(values)) if values else float("nan")
