"""Train and write the two small recognisers that tests use: ``models/vosk-test-en`` and ``models/vosk-test-zh``.

    python models/training/vosk_fixture.py [en] [zh]        needs torch, kaldi-native-fbank, pypinyin, scipy, espeak-ng

They know about a hundred words each and have only ever heard espeak-ng: they exercise the real vosk path (loading,
partial and final results, live grammars, [unk], end-pointing) and say nothing about people's voices.
"""

from __future__ import annotations

import itertools
import json
import random
import shutil
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import kaldi_native_fbank as knf
import numpy as np
import torch
import yaml
from espeak_speech import RATE_HZ, Job, Utterance, speak
from kaldi_files import SELF_LOOP_LOGPROB, Layer, Transducer, acoustic_model
from numpy.typing import NDArray
from pypinyin import Style, lazy_pinyin
from torch import nn

HERE = Path(__file__).resolve().parent
SILENCE = "sil"
FRAME_S = 0.03
WIDTH = 128
UTTERANCES = 2400
EPOCHS = 8
VOICES = {
    "en": [f"{base}{v}" for base in ("en-us", "gmw/en") for v in ("", "+f2", "+f3", "+f4", "+m1", "+m3", "+m7")],
    "zh": [f"cmn-latn-pinyin{v}" for v in ("", "+f2", "+f3", "+f4", "+f5", "+m1", "+m3", "+m4", "+m7")],
}
HELD_OUT_VOICES = {"en": ["en-us+f5", "gmw/en+m4"], "zh": ["cmn-latn-pinyin+f1", "cmn-latn-pinyin+m6"]}
BIGRAM_DISCOUNT = 0.15
UNKNOWN_WORD_COST, UNKNOWN_PHONE_COST = 6.0, 2.2
SILENCE_ENTRY_COST, SILENCE_EXIT_COST = 0.7, 0.3
POSITIONS = ("B", "I", "E", "S")


@dataclass(frozen=True)
class Sentence:
    """Words, and the text that the synthesiser reads."""

    words: tuple[str, ...]
    spoken: str


def spoken(words: tuple[str, ...], language: str) -> str:
    """Return what the synthesiser reads: pinyin with tone digits for Chinese."""
    if language == "en":
        return " ".join(words)
    return " ".join("".join(lazy_pinyin(w, style=Style.TONE3, neutral_tone_with_five=True)) for w in words)


def phones_of(utterance: Utterance) -> list[tuple[str, float]]:
    """Return (phone, start [s]); pauses become silence, stress and tone marks are gone already."""
    found: list[tuple[str, float]] = [(SILENCE, 0.0)]
    for name, start in utterance.phonemes:
        if name == "_|" or (name.startswith("_") and found[-1][0] == SILENCE):
            continue
        found.append((SILENCE if name.startswith("_") else name, start))
    if found[-1][0] != SILENCE:
        found.append((SILENCE, len(utterance.samples) / RATE_HZ))
    return found


def frame_labels(phones: list[tuple[str, float]], frames: int) -> list[str] | None:
    """Spread phones over frames of 30 ms, each phone on at least one; None when there are more phones than frames."""
    if len(phones) > frames:
        return None
    starts = [min(round(start / FRAME_S), frames) for _, start in phones]
    starts[0] = 0
    for i in range(1, len(starts)):
        starts[i] = max(starts[i], starts[i - 1] + 1)
    limit = frames
    for i in reversed(range(len(starts))):
        limit = starts[i] = min(starts[i], limit - 1)
    ends = [*starts[1:], frames]
    return [name for (name, _), a, b in zip(phones, starts, ends, strict=True) for _ in range(b - a)]


def split_words(heard: list[str], words: tuple[str, ...], alone: dict[str, tuple[str, ...]]) -> list[tuple[str, ...]]:
    """Cut a phone sequence into its words, by the cheapest alignment with the words' pronunciations alone."""
    reference = [(phone, number) for number, word in enumerate(words) for phone in alone[word]]
    cost = np.zeros((len(heard) + 1, len(reference) + 1))
    cost[:, 0], cost[0, :] = np.arange(len(heard) + 1), np.arange(len(reference) + 1)
    for i, phone in enumerate(heard, 1):
        for j, (other, _) in enumerate(reference, 1):
            swap = cost[i - 1, j - 1] + (0.0 if phone == other else 0.9)
            cost[i, j] = min(swap, cost[i - 1, j] + 1, cost[i, j - 1] + 1)
    owner = [0] * len(heard)
    i, j = len(heard), len(reference)
    while i > 0:
        number = reference[min(j, len(reference)) - 1][1] if j > 0 else 0
        if j > 0 and cost[i, j] == cost[i - 1, j - 1] + (0.0 if heard[i - 1] == reference[j - 1][0] else 0.9):
            owner[i - 1] = number
            i, j = i - 1, j - 1
        elif cost[i, j] == cost[i - 1, j] + 1:
            owner[i - 1] = number
            i -= 1
        else:
            j -= 1
    return [tuple(p for p, o in zip(heard, owner, strict=True) if o == n) for n in range(len(words))]


def cepstra(samples: NDArray[np.floating]) -> NDArray[np.float32]:
    """Return 40 cepstra every 10 ms, as vosk computes them with our mfcc.conf."""
    options = knf.MfccOptions()
    options.frame_opts.samp_freq = RATE_HZ
    options.frame_opts.dither = 0.0
    options.mel_opts.num_bins = options.num_ceps = 40
    options.mel_opts.low_freq, options.mel_opts.high_freq = 20.0, -400.0
    options.use_energy = False
    computer = knf.OnlineMfcc(options)
    computer.accept_waveform(RATE_HZ, samples.astype(np.float32).tolist())
    computer.input_finished()
    return np.array([computer.get_frame(i) for i in range(computer.num_frames_ready)], np.float32).reshape(-1, 40)


def augmented(samples: NDArray[np.int16], generator: np.random.Generator) -> NDArray[np.float64]:
    """Return the speech at another level, in white or coloured noise for half of the utterances."""
    wave = samples.astype(np.float64)
    wave *= 10 ** (generator.uniform(-14, 3) / 20)
    if generator.random() < 0.5:
        noise = generator.normal(size=len(wave))
        if generator.random() < 0.5:
            noise = np.convolve(noise, np.exp(-np.arange(30) / generator.uniform(1, 10)), mode="same")
        snr_db = generator.uniform(8, 30)
        noise *= np.sqrt(np.mean(wave**2) / np.mean(noise**2)) * 10 ** (-snr_db / 20)
        wave += noise
    return np.clip(wave + generator.normal(scale=3.0, size=len(wave)), -32768, 32767)


class Network(nn.Module):
    """Time-delay network: splices of 10 ms frames, then every third frame, then splices of 30 ms frames."""

    def __init__(self, outputs: int) -> None:
        super().__init__()
        shapes = [(40, 5, 1), (WIDTH, 3, 3), (WIDTH, 3, 1), (WIDTH, 3, 1), (WIDTH, 3, 1)]
        self.layers = nn.ModuleList(nn.Conv1d(i, WIDTH, k, stride=s) for i, k, s in shapes)
        self.norms = nn.ModuleList(nn.BatchNorm1d(WIDTH) for _ in shapes)
        self.last = nn.Conv1d(WIDTH, outputs, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Log-probabilities of the phones, shape (batch, outputs, frames), of features (batch, cepstra, frames)."""
        for layer, norm in zip(self.layers, self.norms, strict=True):
            x = norm(torch.relu(layer(x)))
        return self.last(x)


CONTEXT = 2 + 1 + 3 + 3 + 3


def folded(network: Network, mean: NDArray[np.float32], spread: NDArray[np.float32]) -> list[Layer]:
    """Return the network as affine layers: input scaling and batch norms folded into the affine layer above them."""
    offsets = [(-2, -1, 0, 1, 2), (-1, 0, 1), (-3, 0, 3), (-3, 0, 3), (-3, 0, 3), (0,)]
    scale, shift = 1.0 / spread, -mean / spread
    layers = []
    for splice, module, norm in zip(offsets, [*network.layers, network.last], [*network.norms, None], strict=True):
        weights = module.weight.detach().numpy().astype(np.float64)  # (out, in, taps)
        bias = module.bias.detach().numpy() + np.einsum("oik,i->o", weights, shift)
        scaled = weights * scale[None, :, None]
        flat = scaled.transpose(0, 2, 1).reshape(len(bias), -1)
        layers.append(Layer(splice, flat.astype(np.float32), bias.astype(np.float32)))
        if norm is not None:
            deviation = torch.sqrt(norm.running_var + norm.eps).detach().numpy()
            scale = norm.weight.detach().numpy() / deviation
            shift = norm.bias.detach().numpy() - norm.running_mean.numpy() * scale
    return layers


def train(features: list[NDArray[np.float32]], labels: list[NDArray[np.int64]], outputs: int) -> tuple[Network, float]:
    """Fit the network to frame labels; returns it with the frame accuracy of the last epoch."""
    network = Network(outputs)
    optimiser = torch.optim.Adam(network.parameters(), lr=3e-3)
    order = sorted(range(len(features)), key=lambda i: len(features[i]))
    batches = [order[i : i + 32] for i in range(0, len(order), 32)]
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 4e-3, total_steps=EPOCHS * len(batches))
    accuracy = 0.0
    for _ in range(EPOCHS):
        random.shuffle(batches)
        right = total = 0
        for batch in batches:
            longest = max(len(labels[i]) for i in batch)
            x = np.stack([_padded(features[i], longest) for i in batch])
            y = np.full((len(batch), longest), -100, np.int64)
            for row, i in enumerate(batch):
                y[row, : len(labels[i])] = labels[i]
            scores, truth = network(torch.from_numpy(x)), torch.from_numpy(y)
            loss = nn.functional.cross_entropy(scores, truth, ignore_index=-100, label_smoothing=0.02)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
            kept = truth != -100
            right += int((scores.argmax(1) == truth)[kept].sum())
            total += int(kept.sum())
        accuracy = right / total
        print(f"  frame accuracy {accuracy:.3f}", flush=True)
    network.eval()
    return network, accuracy


def _padded(frames: NDArray[np.float32], outputs: int) -> NDArray[np.float32]:
    """Edge frames repeated, so that output n sits on frame 3n: (40, inputs that make ``outputs`` outputs)."""
    wanted = 3 * (outputs - 1) + 1 + 2 * CONTEXT
    front = np.repeat(frames[:1], CONTEXT, axis=0)
    back = np.repeat(frames[-1:], max(0, wanted - CONTEXT - len(frames)), axis=0)
    return np.concatenate([front, frames, back])[:wanted].T


def lexicon_graph(
    prons: dict[str, list[tuple[str, ...]]], word_ids: dict[str, int], phone_ids: dict[str, int]
) -> Transducer:
    """Return HCL: from transition ids to words, any number of words with optional silence between them.

    A phone is read as its leaving transition first, then any number of self-loops ("reordered"), so it takes at least
    one frame. A word is written on its first arc.
    """
    graph = Transducer()
    start = graph.state()
    graph.final[start] = 0.0
    stay = -SELF_LOOP_LOGPROB

    def phone(source: int, name: str, writes: int, cost: float) -> int:
        target, number = graph.state(), phone_ids[name]
        graph.arc(source, 2 * number, writes, cost + stay, target)
        graph.arc(target, 2 * number - 1, 0, stay, target)
        return target

    graph.arc(phone(start, SILENCE, 0, SILENCE_ENTRY_COST), 0, 0, SILENCE_EXIT_COST, start)
    for word, variants in prons.items():
        for variant in variants:
            state = start
            for i, name in enumerate(variant):
                place = "S" if len(variant) == 1 else "B" if i == 0 else "E" if i == len(variant) - 1 else "I"
                state = phone(
                    state, f"{name}_{place}", word_ids[word] if i == 0 else 0, float(np.log(len(variants))) * (i == 0)
                )
            graph.arc(state, 0, 0, 0.0, start)
    inside = graph.state()
    names = sorted({name[:-2] for name in phone_ids if name.endswith("_S")})
    for name in names:
        graph.arc(phone(start, f"{name}_B", word_ids["[unk]"], UNKNOWN_WORD_COST), 0, 0, 0.0, inside)
        graph.arc(phone(inside, f"{name}_I", 0, UNKNOWN_PHONE_COST), 0, 0, 0.0, inside)
        graph.arc(phone(inside, f"{name}_E", 0, UNKNOWN_PHONE_COST), 0, 0, 0.0, start)
    return graph


def bigram(sentences: list[tuple[str, ...]], word_ids: dict[str, int]) -> Transducer:
    """Return G: a back-off bigram over the sentences with absolute discounting; every word may follow every word."""
    graph = Transducer()
    start, backed_off = graph.state(), graph.state()
    words = [w for w in word_ids if w not in ("<eps>", "#0")]
    state_of = {word: graph.state() for word in words}
    pairs, singles = Counter[tuple[str, str]](), Counter[str]()
    for sentence in sentences:
        path = ("<s>", *sentence, "</s>")
        pairs.update(itertools.pairwise(path))
        singles.update(path[1:])
    vocabulary = [*words, "</s>"]
    total = sum(singles.values()) + len(vocabulary)
    for word in vocabulary:
        cost = -float(np.log((singles[word] + 1) / total))
        if word == "</s>":
            graph.final[backed_off] = cost
        else:
            graph.arc(backed_off, word_ids[word], word_ids[word], cost, state_of[word])
    for before in ("<s>", *words):
        source = start if before == "<s>" else state_of[before]
        after = {w: n for (b, w), n in pairs.items() if b == before}
        count = sum(after.values())
        for word, n in after.items():
            cost = -float(np.log((n - BIGRAM_DISCOUNT * n) / count))
            if word == "</s>":
                graph.final[source] = cost
            else:
                graph.arc(source, word_ids[word], word_ids[word], cost, state_of[word])
        graph.arc(source, 0, 0, -float(np.log(BIGRAM_DISCOUNT)) if count else 0.0, backed_off)
    return graph


def build(language: str, folder: Path) -> dict[str, object]:
    """Train one recogniser and write it to ``folder``."""
    text = yaml.safe_load((HERE / "vosk_fixture.yaml").read_text(encoding="utf-8"))
    domain = [tuple(str(line).split()) for line in text[language]]
    foreign = [tuple(str(line).split()) for line in text["other"][language]]
    words = sorted({w for s in domain for w in s})
    generator, chance = np.random.default_rng(7), random.Random(7)
    torch.manual_seed(7)
    random.seed(7)
    spoken_words = sorted({*words, *(w for s in foreign for w in s)})
    lonely = speak([Job(spoken((w,), language), VOICES[language][0], 150, 50) for w in spoken_words])
    alone = {}
    for word, utterance in zip(spoken_words, lonely, strict=True):
        assert utterance is not None, word
        alone[word] = tuple(p for p, _ in phones_of(utterance) if p != SILENCE)
    texts: list[tuple[str, ...]] = []
    for _ in range(UTTERANCES):
        kind = chance.random()
        if kind < 0.58:
            texts.append(chance.choice(domain))
        elif kind < 0.80:
            texts.append(tuple(chance.choices(words, k=chance.randint(1, 6))))
        else:
            texts.append(tuple(chance.sample(chance.choice(foreign), k=3)))
    jobs = [
        Job(spoken(t, language), chance.choice(VOICES[language]), chance.randint(120, 210), chance.randint(25, 75))
        for t in texts
    ]
    utterances = speak(jobs)
    print(f"{language}: {sum(u is not None for u in utterances)} of {len(jobs)} utterances", flush=True)
    heard: dict[str, Counter[tuple[str, ...]]] = {w: Counter({alone[w]: 1}) for w in words}
    rows: list[tuple[NDArray[np.float32], list[str]]] = []
    for words_said, utterance in zip(texts, utterances, strict=True):
        if utterance is None:
            continue
        phones = phones_of(utterance)
        lead, tail = generator.integers(0, RATE_HZ // 2, 2)
        wave = np.concatenate([np.zeros(lead, np.int16), utterance.samples, np.zeros(tail, np.int16)])
        frames = cepstra(augmented(wave, generator))
        shifted = [(p, 0.0 if i == 0 else s + lead / RATE_HZ) for i, (p, s) in enumerate(phones)]
        labels = frame_labels(shifted, (len(frames) + 2) // 3)
        if labels is not None:
            rows.append((frames, labels))
        for word, variant in zip(
            words_said, split_words([p for p, _ in phones if p != SILENCE], words_said, alone), strict=True
        ):
            if variant and word in heard:
                heard[word][variant] += 1
    for _ in range(UTTERANCES // 25):
        noise = cepstra(
            augmented((generator.normal(scale=generator.uniform(20, 2000), size=RATE_HZ)).astype(np.int16), generator)
        )
        rows.append((noise, [SILENCE] * ((len(noise) + 2) // 3)))
    names = [SILENCE, *sorted({p for _, labels in rows for p in labels} - {SILENCE})]
    known = set(names)
    number = {name: i for i, name in enumerate(names)}
    stacked = np.concatenate([frames for frames, _ in rows])
    mean, spread = stacked.mean(axis=0), stacked.std(axis=0)
    targets = [np.array([number[p] for p in labels], np.int64) for _, labels in rows]
    network, accuracy = train([(frames - mean) / spread for frames, _ in rows], targets, len(names))
    priors = np.bincount(np.concatenate(targets), minlength=len(names)).astype(np.float32) + 1
    phone_ids = {SILENCE: 1} | {
        f"{n}_{p}": 2 + 4 * i + k for i, n in enumerate(names[1:]) for k, p in enumerate(POSITIONS)
    }
    pdfs = [0] + [1 + i for i in range(len(names) - 1) for _ in POSITIONS]
    prons = {
        w: [v for v, n in c.most_common(3) if n >= 0.12 * c.total() and set(v) <= known] or [alone[w]]
        for w, c in heard.items()
    }
    word_ids = {w: i for i, w in enumerate(["<eps>", "[unk]", *words, "#0"])}
    shutil.rmtree(folder, ignore_errors=True)
    for part in ("am", "conf", "graph/phones"):
        (folder / part).mkdir(parents=True)
    layers = folded(network, mean, spread)
    model = acoustic_model(len(phone_ids), pdfs, layers, priors / priors.sum(), CONTEXT)
    (folder / "am/final.mdl").write_bytes(model)
    lexicon_graph(prons, word_ids, phone_ids).write(folder / "graph/HCLr.fst")
    bigram([*domain, *[("[unk]",)] * 3], word_ids).write(folder / "graph/Gr.fst", sort=True)
    (folder / "graph/words.txt").write_text("".join(f"{w} {i}\n" for w, i in word_ids.items()), encoding="utf-8")
    (folder / "graph/disambig_tid.int").write_text("")
    kinds = {"B": "begin", "I": "internal", "E": "end", "S": "singleton"}
    boundaries = [f"{i} {kinds[name[-1]] if name != SILENCE else 'nonword'}\n" for name, i in phone_ids.items()]
    (folder / "graph/phones/word_boundary.int").write_text("".join(boundaries))
    (folder / "conf/mfcc.conf").write_text(
        "--sample-frequency=16000\n--use-energy=false\n--num-mel-bins=40\n--num-ceps=40\n--low-freq=20\n"
        "--high-freq=-400\n--dither=0\n"
    )
    (folder / "conf/model.conf").write_text(
        "--min-active=200\n--max-active=3000\n--beam=10.0\n--lattice-beam=4.0\n--acoustic-scale=1.0\n"
        "--frame-subsampling-factor=3\n--determinize-max-delay=12\n--determinize-min-chunk-size=4\n"
        "--endpoint.silence-phones=1\n--endpoint.rule2.min-trailing-silence=0.5\n"
    )
    size = sum(p.stat().st_size for p in folder.rglob("*") if p.is_file())
    return {
        "language": language,
        "words": len(words),
        "phones": len(names),
        "frame_accuracy": round(accuracy, 4),
        "bytes": size,
    }


def main() -> None:
    """Build the languages given, or both."""
    torch.set_num_threads(1)
    for language in sys.argv[1:] or ["en", "zh"]:
        print(json.dumps(build(language, HERE.parent / f"vosk-test-{language}")), flush=True)


if __name__ == "__main__":
    main()
