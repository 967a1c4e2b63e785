"""Write src/inspection_robot/radiation/nuclides.json: principal gamma and X-ray lines of the nuclides we can name.

Energies and intensities are facts of the evaluated library *decay_2012* (UKDD-12 / JEFF-3.1.1, distributed with the
Apache-2.0 package `actigamma` 0.1.5). Run it in a throw-away environment: ``pip install actigamma`` and then
``python models/training/nuclides.py``. The numbers of positrons for a decay, which that library leaves out, are
those of DDEP (Laboratoire National Henri Becquerel, Table of Radionuclides).
"""

from __future__ import annotations

import json
from importlib import resources
from pathlib import Path
from typing import Any

LEAST_ENERGY_KEV = 13.0  # below the threshold of a scintillator of this kind
TELLING_ENERGY_KEV = 35.0  # below it hardly anything leaves a capsule: such lines must not decide what is kept
LEAST_SHARE_OF_STRONGEST = 1e-3
MERGED_KEV = 0.1
TARGET = Path(__file__).resolve().parents[2] / "src/inspection_robot/radiation/nuclides.json"

MEDICAL, INDUSTRIAL, NORM, SPECIAL = "medical", "industrial", "norm", "special_nuclear"

# Decays of daughters for one decay of the parent, in equilibrium with it as far as it is found in practice.
CHAINS: dict[str, dict[str, float]] = {
    "Cs-137": {"Ba137m": 0.944},
    "Mo-99": {"Mo99": 1.0, "Tc99m": 0.876},
    "Ge-68": {"Ge68": 1.0, "Ga68": 1.0},
    "Sr-82": {"Sr82": 1.0, "Rb82": 1.0},
    "Ra-226": {"Ra226": 1.0, "Pb214": 1.0, "Bi214": 1.0, "Pb210": 0.3},
    "Th-232": {"Ac228": 1.0, "Ra224": 1.0, "Pb212": 1.0, "Bi212": 1.0, "Tl208": 0.3593},
    "Th-228": {"Ra224": 1.0, "Pb212": 1.0, "Bi212": 1.0, "Tl208": 0.3593},
    "U-238": {"Th234": 1.0, "Pa234m": 1.0},
    "U-235": {"U235": 1.0, "Th231": 1.0},
    "Np-237": {"Np237": 1.0, "Pa233": 1.0},
    "Ac-225": {"Ac225": 1.0, "Fr221": 1.0, "Bi213": 1.0, "Tl209": 0.0209},
    "Ra-223": {"Ra223": 1.0, "Rn219": 1.0, "Pb211": 1.0, "Bi211": 1.0, "Tl207": 0.997},
    "Sn-113": {"Sn113": 1.0, "In113m": 1.0},
    "Cd-109": {"Cd109": 1.0, "Ag109m": 1.0},
    "Ce-144": {"Ce144": 1.0, "Pr144": 1.0},
    "Ru-106": {"Rh106": 1.0},
    "Am-243": {"Am243": 1.0, "Np239": 1.0},
}

# Positrons for a decay (DDEP); each makes two photons of 511 keV.
POSITRONS = {
    "F-18": 0.9686, "Ga-68": 0.8888, "Ge-68": 0.8888, "Na-22": 0.9038, "Cu-64": 0.1752, "Zr-89": 0.228, "I-124": 0.227,
    "Sr-82": 0.955, "Zn-65": 0.0142, "Co-58": 0.1494, "Co-56": 0.1958,
}  # fmt: skip

# L X-rays that the library gives as one mean line, resolved (DDEP, Am-241, 2010): a weak absorber tells them apart.
L_XRAYS = {"Am-241": [(13.9, 0.1302), (17.75, 0.1858), (20.8, 0.0483)]}

# Category: what it is carried for, the graver one first. Prior: how often it is met at a border, relative.
NUCLIDES: dict[str, tuple[tuple[str, ...], float]] = {
    "Tc-99m": ((MEDICAL,), 1.0), "I-131": ((MEDICAL,), 1.0), "F-18": ((MEDICAL,), 1.0), "Tl-201": ((MEDICAL,), 1.0),
    "I-123": ((MEDICAL,), 1.0), "In-111": ((MEDICAL,), 1.0), "Ga-67": ((MEDICAL,), 1.0), "Lu-177": ((MEDICAL,), 1.0),
    "Ga-68": ((MEDICAL,), 0.3), "I-125": ((MEDICAL,), 0.3), "Sm-153": ((MEDICAL,), 0.3), "Ra-223": ((MEDICAL,), 0.3),
    "Xe-133": ((MEDICAL,), 0.3), "Cr-51": ((MEDICAL,), 0.3), "Mo-99": ((MEDICAL,), 0.3), "Zr-89": ((MEDICAL,), 0.3),
    "I-124": ((MEDICAL,), 0.1), "Cu-64": ((MEDICAL,), 0.03), "Ac-225": ((MEDICAL,), 0.1), "Sr-82": ((MEDICAL,), 0.1),
    "Re-188": ((MEDICAL,), 0.1), "Re-186": ((MEDICAL,), 0.1),
    "Tb-161": ((MEDICAL,), 0.03), "Ho-166": ((MEDICAL,), 0.003),
    "Co-57": ((INDUSTRIAL, MEDICAL), 1.0), "Co-60": ((INDUSTRIAL, MEDICAL), 1.0),
    "Cs-137": ((INDUSTRIAL, MEDICAL), 1.0),
    "Am-241": ((INDUSTRIAL,), 1.0), "Ba-133": ((INDUSTRIAL,), 1.0), "Eu-152": ((INDUSTRIAL,), 1.0),
    "Ir-192": ((INDUSTRIAL, MEDICAL), 1.0), "Se-75": ((INDUSTRIAL,), 1.0), "Na-22": ((INDUSTRIAL,), 1.0),
    "Mn-54": ((INDUSTRIAL,), 1.0), "Zn-65": ((INDUSTRIAL,), 0.3), "Y-88": ((INDUSTRIAL,), 1.0),
    "Cd-109": ((INDUSTRIAL,), 1.0), "Ce-139": ((INDUSTRIAL,), 0.3), "Hg-203": ((INDUSTRIAL,), 0.1),
    "Sn-113": ((INDUSTRIAL,), 0.1), "Sr-85": ((MEDICAL, INDUSTRIAL), 0.01), "Yb-169": ((INDUSTRIAL, MEDICAL), 0.3),
    "Tm-170": ((INDUSTRIAL,), 0.1), "Gd-153": ((INDUSTRIAL, MEDICAL), 0.3), "Cs-134": ((INDUSTRIAL,), 0.3),
    "Eu-154": ((INDUSTRIAL,), 0.1), "Eu-155": ((INDUSTRIAL,), 0.03), "Sb-124": ((INDUSTRIAL,), 0.1),
    "Sb-125": ((INDUSTRIAL,), 0.1), "Bi-207": ((INDUSTRIAL,), 0.1), "Ag-110m": ((INDUSTRIAL,), 0.1),
    "Ag-108m": ((INDUSTRIAL,), 0.03), "Fe-59": ((INDUSTRIAL,), 0.1), "Co-58": ((INDUSTRIAL,), 0.1),
    "Co-56": ((INDUSTRIAL,), 0.003), "Sc-46": ((INDUSTRIAL,), 0.1), "Ta-182": ((INDUSTRIAL,), 0.03),
    "Ge-68": ((MEDICAL, INDUSTRIAL), 0.1), "Ru-106": ((INDUSTRIAL, MEDICAL), 0.03), "Ru-103": ((INDUSTRIAL,), 0.03),
    "Ce-144": ((INDUSTRIAL,), 0.03), "Ce-141": ((INDUSTRIAL,), 0.03), "Zr-95": ((INDUSTRIAL,), 0.03),
    "Nb-95": ((INDUSTRIAL,), 0.03), "Ho-166m": ((INDUSTRIAL,), 0.03), "Th-228": ((INDUSTRIAL,), 0.1),
    "I-129": ((INDUSTRIAL,), 0.03), "Am-243": ((INDUSTRIAL,), 0.03),
    "K-40": ((NORM,), 1.0), "Ra-226": ((NORM, INDUSTRIAL), 1.0), "Th-232": ((NORM,), 1.0), "Lu-176": ((NORM,), 0.3),
    "Be-7": ((NORM,), 0.03), "La-138": ((NORM,), 0.003), "U-238": ((NORM, INDUSTRIAL), 0.3),
    "U-235": ((SPECIAL,), 1.0), "Pu-239": ((SPECIAL,), 0.3), "Np-237": ((SPECIAL,), 0.3), "U-233": ((SPECIAL,), 0.3),
}  # fmt: skip


def merge(lines: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """Sort lines by energy and add up those of the same energy, which several daughters or data sets list."""
    merged: list[tuple[float, float]] = []
    for energy, intensity in sorted(lines):
        if merged and energy - merged[-1][0] < MERGED_KEV:
            last_energy, last_intensity = merged.pop()
            total = last_intensity + intensity
            merged.append(((last_energy * last_intensity + energy * intensity) / total, total))
        else:
            merged.append((energy, intensity))
    return merged


def main() -> None:
    """Write the file."""
    text = resources.files("actigamma").joinpath("data/lines_decay_2012.min.json").read_text()
    library: dict[str, Any] = json.loads(text)
    entries = []
    for name, (categories, prior) in NUCLIDES.items():
        members = CHAINS.get(name, {name.replace("-", ""): 1.0})
        lines: list[tuple[float, float]] = []
        for member, decays in members.items():
            for kind in ("gamma", "x-ray"):
                if kind in library[member]:
                    data = library[member][kind]["lines"]
                    lines += [
                        (energy / 1e3, intensity * norm * decays)
                        for energy, intensity, norm in zip(
                            data["energies"], data["intensities"], data["norms"], strict=True
                        )
                        if abs(energy - 511e3) > 500.0 or name not in POSITRONS
                    ]
        if name in L_XRAYS:
            lines = [line for line in lines if line[0] > 21.0] + L_XRAYS[name]
        if name in POSITRONS:
            lines.append((510.999, 2.0 * POSITRONS[name]))
        telling = [intensity for energy, intensity in lines if energy >= TELLING_ENERGY_KEV]
        least = LEAST_SHARE_OF_STRONGEST * max(telling or [intensity for _, intensity in lines])
        kept = [
            (round(energy, 2), float(f"{intensity:.4g}"))
            for energy, intensity in merge(lines)
            if energy >= LEAST_ENERGY_KEV and intensity >= least
        ]
        parent = library[name.replace("-", "")]
        entries.append(
            {
                "name": name, "categories": list(categories), "prior": prior,
                "half_life_s": float(f"{parent['halflife']:.5g}"), "lines_kev": kept,
            }
        )  # fmt: skip
    head = {
        "source": "decay_2012 (UKDD-12, JEFF-3.1.1) as distributed with actigamma 0.1.5, Apache-2.0; positrons: DDEP",
        "units": "lines_kev: [energy in keV, photons for a decay of the parent]",
    }
    rows = ",\n".join(json.dumps(entry, separators=(",", ":")) for entry in entries)
    TARGET.write_text(json.dumps(head)[:-1] + ',\n"nuclides":[\n' + rows + "\n]}\n")


if __name__ == "__main__":
    main()
