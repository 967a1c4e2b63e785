"""RADDATA text: a spectrum as one or a few URIs that fit into QR codes and open in InterSpec.

The encoding is Sandia's (SpecUtils, documented in its ``docs/``): SandiaSpecUtils writes and reads it.
"""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

import SpecUtils

from inspection_robot.radiation.n42 import write_n42
from inspection_robot.radiation.spectrum import Spectrum


def raddata_uris(spectrum: Spectrum) -> tuple[str, ...]:
    """Return the RADDATA URIs of a spectrum, without its background, each short enough for one QR code."""
    with tempfile.TemporaryDirectory(prefix="raddata-") as folder:
        source, target = Path(folder) / "spectrum.n42", Path(folder) / "spectrum.uri"
        source.write_bytes(write_n42(replace(spectrum, background=None), None))
        file = SpecUtils.SpecFile()
        file.loadFile(str(source), SpecUtils.ParserType.N42_2012)
        file.writeToFile(
            str(target), file.sampleNumbers(), file.detectorNumbers(), SpecUtils.SaveSpectrumAsType.Uri
        )  # fmt: skip
        return tuple(line for line in target.read_text().splitlines() if line.startswith("RADDATA://"))
