"""How often a name given under such circumstances is right: logistic regression on what the fit shows.

The posterior of the fit alone knows only the nuclides of the library and a response without faults. Here it is learnt
from simulated spectra of a fitted response with random faults, a tenth of them of nuclides withheld from the library,
how often the best nuclide is the right one (``models/training/identification_confidence.py``).
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from functools import cache
from importlib import resources

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Evidence:
    """What the fit of a nuclide shows.

    Attributes:
        reduced_deviance: deviance per bin.
        rival_gap: deviance that the best nuclide of another look needs more, over the dispersion, with both priors.
        line_gap: deviance that a continuum without lines needs more, over the dispersion.
        scale_penalty: squared standard deviations of the correction of the energy scale.
        counts: counts of the nuclide.
        prior: how often it is met.
    """

    reduced_deviance: float
    rival_gap: float
    line_gap: float
    scale_penalty: float
    counts: float
    prior: float

    def features(self) -> Floats:
        """Return what the regression sees; shape (features,)."""
        fit = math.log(max(self.reduced_deviance, 0.2))
        gap = math.asinh(self.rival_gap / 2.0)
        lines = math.asinh(max(self.line_gap, 0.0) / 2.0)
        counts = math.log(max(self.counts, 1.0))
        return np.array(
            [
                1.0, fit, max(fit, 0.0), gap, lines, math.sqrt(self.scale_penalty), counts,
                math.log(self.prior), fit * counts, gap * fit, gap * counts, fit * lines,
            ]
        )  # fmt: skip


@cache
def _weights() -> Floats:
    data = json.loads(resources.files(__package__).joinpath("confidence.json").read_text())
    return np.array(data["weights"])


def confidence(evidence: Evidence) -> float:
    """Probability that the nuclide, or one no scintillator can tell from it, is there."""
    return float(1.0 / (1.0 + math.exp(-float(np.clip(_weights() @ evidence.features(), -30.0, 30.0)))))
