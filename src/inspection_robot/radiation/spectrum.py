"""A gamma spectrum and its energy scale."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from inspection_robot.radiation.response import BIN_EDGES_KEV

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Spectrum:
    """Counts per channel over a live time.

    Attributes:
        counts: counts per channel, shape (channels,), >= 0.
        coefficients_kev: polynomial of the channel number giving the lower edge of a channel [keV], lowest order first;
            empty when the file has no energy scale.
        live_time_s: live time [s], > 0.
        real_time_s: real time [s], >= live time.
        instrument: model, e.g. ``RadiaCode-102``; empty when not known.
        serial: serial number; empty when not known.
        background: a spectrum of the same detector without the source, if there is one.
        start: start of the measurement, ISO 8601; empty when not known.
    """

    counts: NDArray[np.int64]
    coefficients_kev: tuple[float, ...]
    live_time_s: float
    real_time_s: float
    instrument: str = ""
    serial: str = ""
    start: str = ""
    background: Spectrum | None = field(default=None, repr=False)

    def edges_kev(self) -> Floats:
        """Lower edges of all channels and the upper edge of the last [keV], on the scale of the file."""
        channels = np.arange(len(self.counts) + 1, dtype=float)
        return np.asarray(np.polynomial.polynomial.polyval(channels, self.coefficients_kev))

    def thinned(self, live_time_s: float, rng: np.random.Generator) -> Spectrum:
        """Return what would have been measured in a shorter live time [s]: each count is kept at random."""
        share = min(1.0, live_time_s / self.live_time_s)
        kept = rng.binomial(self.counts, share)
        return replace(self, counts=kept, live_time_s=self.live_time_s * share, real_time_s=self.real_time_s * share)


@dataclass(frozen=True)
class EnergyCorrection:
    """True energy from the energy on the file's scale: ``offset + gain E + curvature E²`` [keV, 1, 1/keV]."""

    offset_kev: float = 0.0
    gain: float = 1.0
    curvature_per_kev: float = 0.0

    def apply(self, energy_kev: Floats) -> Floats:
        """Return true energies [keV]; never falling with the channel."""
        true = self.offset_kev + energy_kev * (self.gain + self.curvature_per_kev * energy_kev)
        return np.asarray(np.maximum.accumulate(true))

    def as_array(self) -> Floats:
        """Offset [keV], gain, curvature [1/keV]."""
        return np.array([self.offset_kev, self.gain, self.curvature_per_kev])


def rebin(counts: NDArray[np.int64] | Floats, edges_kev: Floats, bins_kev: Floats = BIN_EDGES_KEV) -> Floats:
    """Counts in energy bins, each channel shared in proportion; shape (bins,).

    The last channel is left out: devices collect everything above their range in it.
    """
    cumulative = np.concatenate([[0.0], np.cumsum(counts[:-1], dtype=float)])
    return np.diff(np.interp(bins_kev, edges_kev[:-1], cumulative))
