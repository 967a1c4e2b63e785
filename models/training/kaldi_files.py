"""Writers of the Kaldi and OpenFst files that vosk reads, without Kaldi: acoustic model, transducers, symbol tables.

Formats after kaldi's hmm/transition-model.cc, hmm/hmm-topology.cc, nnet3/nnet-nnet.cc, nnet3/nnet-simple-component.cc,
matrix/compressed-matrix.cc and OpenFst's vector-fst.h (binary, version 2).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

_FST_MAGIC = 2125659606
_EXPANDED_MUTABLE = 0x3
_INPUT_SORTED = 0x10000000
SELF_LOOP_LOGPROB = float(np.log(0.5))


def token(text: str) -> bytes:
    """Return a Kaldi token: the text and a space."""
    return text.encode() + b" "


def integer(value: int) -> bytes:
    """Return a binary int32 with its size byte."""
    return struct.pack("<bi", 4, value)


def real(value: float) -> bytes:
    """Return a binary float with its size byte."""
    return struct.pack("<bf", 4, value)


def double(value: float) -> bytes:
    """Return a binary double with its size byte."""
    return struct.pack("<bd", 8, value)


def integers(values: list[int]) -> bytes:
    """Return a binary vector of int32."""
    return struct.pack("<bi", 4, len(values)) + np.array(values, "<i4").tobytes()


def vector(values: Floats) -> bytes:
    """Return a binary float vector."""
    return token("FV") + integer(len(values)) + values.astype("<f4").tobytes()


def matrix(values: Floats) -> bytes:
    """Return a matrix compressed to two bytes an element (CM2): minimum + range · v / 65535."""
    low, high = float(values.min()), float(values.max())
    scaled = np.round((values - low) / max(high - low, 1e-12) * 65535).astype("<u2")
    header = struct.pack("<ffii", low, high - low, values.shape[0], values.shape[1])
    return token("CM2") + header + scaled.tobytes()


@dataclass
class Layer:
    """An affine layer over spliced input, with a rectifier after it unless it is the last.

    Attributes:
        offsets: frames spliced together, in units of 10 ms.
        weights: float array (outputs, inputs · len(offsets)).
        bias: float array (outputs,).
    """

    offsets: tuple[int, ...]
    weights: Floats
    bias: Floats


def acoustic_model(phones: int, pdf_of_phone: list[int], layers: list[Layer], priors: Floats, context: int) -> bytes:
    """Return ``final.mdl``: each phone has one emitting state; transition ids 2k−1 (stay) and 2k (leave).

    Args:
        phones: number of phones, numbered from one.
        pdf_of_phone: output of the network for each phone, in order.
        layers: of the network; its input has 40 cepstra every 10 ms.
        priors: float array (outputs,), how often each output occurs.
        context: frames of 10 ms that the network looks to either side.
    """
    topology = token("<Topology>") + integers(list(range(1, phones + 1))) + integers([-1] + [0] * phones) + integer(1)
    emitting = integer(0) + integer(2) + integer(0) + real(0.5) + integer(1) + real(0.5)
    topology += integer(2) + emitting + integer(-1) + integer(0) + token("</Topology>")
    triples = token("<Triples>") + integer(phones)
    triples += b"".join(integer(k) + integer(0) + integer(pdf) for k, pdf in enumerate(pdf_of_phone, 1))
    log_probabilities = np.full(2 * phones + 1, SELF_LOOP_LOGPROB, np.float32)
    log_probabilities[0] = 0.0
    transitions = token("<TransitionModel>") + topology + triples + token("</Triples>") + token("<LogProbs>")
    transitions += vector(log_probabilities) + token("</LogProbs>") + token("</TransitionModel>")
    network = _network(layers)
    tail = token("<LeftContext>") + integer(context) + token("<RightContext>") + integer(context)
    return b"\0B" + transitions + network + tail + token("<Priors>") + vector(priors)


def _network(layers: list[Layer]) -> bytes:
    lines = ["input-node name=input dim=40"]
    components: list[tuple[str, bytes]] = []
    below = "input"
    for number, layer in enumerate(layers, 1):
        spliced = ", ".join(f"Offset({below}, {o})" if o else below for o in layer.offsets)
        name = f"affine{number}"
        lines.append(f"component-node name={name} component={name} input=Append({spliced})")
        affine = token("<FixedAffineComponent>") + token("<LinearParams>") + matrix(layer.weights)
        components.append(
            (name, affine + token("<BiasParams>") + vector(layer.bias) + token("</FixedAffineComponent>"))
        )
        kind = "RectifiedLinearComponent" if number < len(layers) else "LogSoftmaxComponent"
        below = f"out{number}"
        lines.append(f"component-node name={below} component={below} input={name}")
        components.append((below, _nonlinear(kind, len(layer.bias))))
    lines.append(f"output-node name=output input={below} objective=linear")
    head = token("<Nnet3>") + b"\n" + "\n".join(lines).encode() + b"\n\n"
    body = b"".join(token("<ComponentName>") + token(name) + data for name, data in components)
    return head + token("<NumComponents>") + integer(len(components)) + body + token("</Nnet3>")


def _nonlinear(kind: str, dimension: int) -> bytes:
    nothing = np.zeros(0, np.float32)
    data = token(f"<{kind}>") + token("<Dim>") + integer(dimension) + token("<ValueAvg>") + vector(nothing)
    return data + token("<DerivAvg>") + vector(nothing) + token("<Count>") + double(0.0) + token(f"</{kind}>")


@dataclass
class Transducer:
    """A weighted finite-state transducer over the tropical semiring; state 0 is the start."""

    arcs: list[list[tuple[int, int, float, int]]] = field(default_factory=list)
    final: dict[int, float] = field(default_factory=dict)

    def state(self) -> int:
        """Add a state and return its number."""
        self.arcs.append([])
        return len(self.arcs) - 1

    def arc(self, source: int, reads: int, writes: int, cost: float, target: int) -> None:
        """Add an arc."""
        self.arcs[source].append((reads, writes, cost, target))

    def write(self, path: Path, *, sort: bool = False) -> None:
        """Write in OpenFst's binary form, arcs sorted by what they read when ``sort``."""
        properties = _EXPANDED_MUTABLE | (_INPUT_SORTED if sort else 0)
        count = sum(map(len, self.arcs))
        data = struct.pack("<i", _FST_MAGIC) + _string("vector") + _string("standard")
        data += struct.pack("<iiQqqq", 2, 0, properties, 0, len(self.arcs), count)
        for state, arcs in enumerate(self.arcs):
            data += struct.pack("<fq", self.final.get(state, float("inf")), len(arcs))
            for arc in sorted(arcs) if sort else arcs:
                data += struct.pack("<iifi", *arc)
        path.write_bytes(data)


def _string(text: str) -> bytes:
    return struct.pack("<i", len(text)) + text.encode()
