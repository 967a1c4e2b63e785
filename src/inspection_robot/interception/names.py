"""How likely two written names are of one person or company.

Names are brought to Latin letters (Doc 9303-3 transliterations, AnyAscii for other scripts, pinyin for Chinese), cut
into tokens, and the tokens of the two names assigned to each other. A few features of that assignment go through a
logistic function whose weights are learnt from labelled pairs (`models/training/name_matcher.py`), so that the score
is a calibrated probability.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path

import numpy as np
import yaml
from anyascii import anyascii
from numpy.typing import NDArray
from pypinyin import Style, lazy_pinyin
from rapidfuzz.distance import OSA, JaroWinkler
from scipy.optimize import linear_sum_assignment

from inspection_contract.errors import InputError
from inspection_contract.resources import share

MAXIMUM_LENGTH = 200


@dataclass(frozen=True)
class Words:
    """Words with a meaning of their own, `config/name_words.yaml`."""

    titles: frozenset[str]
    particles: frozenset[str]
    legal_forms: Mapping[str, str]
    phrases: tuple[tuple[str, str], ...]
    numbers: Mapping[str, str]
    given_names: Mapping[str, str]

    @property
    def light(self) -> frozenset[str]:
        """Words that count less than a name."""
        return self.particles | frozenset(self.legal_forms.values())


def _load_words() -> Words:
    content = yaml.safe_load((share() / "config" / "name_words.yaml").read_text(encoding="utf-8"))

    def inverted(table: dict[str, list[str]]) -> dict[str, str]:
        return {spelling: meant for meant, spellings in table.items() for spelling in spellings}

    return Words(
        titles=frozenset(content["titles"]),
        particles=frozenset(content["particles"]),
        legal_forms=inverted(content["legal_forms"]),
        phrases=tuple(content["phrases"].items()),
        numbers=inverted(content["numbers"]),
        given_names=inverted(content["given_names"]),
    )


_WORDS = _load_words()
_FORMS = frozenset(_WORDS.legal_forms.values())
_LIGHT = _WORDS.light
_PATRONYMIC = frozenset({"bin", "ben", "ibn", "bint"})
_MACHINE_READABLE = str.maketrans(
    {"Ä": "AE", "Ö": "OE", "Ü": "UE", "ẞ": "SS", "Å": "AA", "Æ": "AE", "Ø": "OE", "Þ": "TH", "Ð": "D", "Ñ": "N"}
)
"""Recommended transliterations of Doc 9303-3 section 6.A that are not a base letter."""
_SOUND = (
    (r"sch|sh|ch|cz|tsch|tch|zh|dj|dzh", "s"), (r"ph|v|w", "f"), (r"th|dh|d", "t"), (r"kh|gh|ck|qu|q|c|g|x|h", "k"),
    (r"z|j", "s"), (r"b", "p"), (r"y", "i"), (r"n", "m"), (r"[aeiou]+", ""),
)  # fmt: skip


@dataclass(frozen=True)
class Name:
    """A name prepared for comparing.

    Attributes:
        renditions: its alternative token sequences, most literal first.
        ideographs: its Chinese characters or Korean syllables, each of which is a whole syllable.
        family_first: a comma says that the family name leads.
    """

    renditions: tuple[tuple[str, ...], ...]
    ideographs: str = ""
    family_first: bool = False


@lru_cache(maxsize=4096)
def prepare(text: str) -> Name:
    """Prepare a name in any script, in any order of family and given name."""
    cleaned = unicodedata.normalize("NFKC", text[:MAXIMUM_LENGTH])
    forms = [anyascii(cleaned)]
    if any("\u4e00" <= character <= "\u9fff" for character in cleaned):
        forms.insert(0, _pinyin(cleaned))
    machine_readable = cleaned.upper().translate(_MACHINE_READABLE)
    if machine_readable != cleaned.upper():
        forms.append(anyascii(machine_readable))
    renditions = tuple(dict.fromkeys(tokens for form in forms if (tokens := _tokens(form))))
    ideographs = "".join(c for c in cleaned if "\u4e00" <= c <= "\u9fff" or "\uac00" <= c <= "\ud7a3")
    return Name(renditions, ideographs, "," in cleaned)


def _pinyin(text: str) -> str:
    """Chinese as in a travel document: family name (one character, or a known double one), given names joined."""
    characters = [part for part in re.split(r"\s|·", text) if part]
    words = []
    for part in characters:
        syllables = lazy_pinyin(part, style=Style.NORMAL, v_to_u=False)
        if len(characters) == 1 and 2 <= len(part) <= 4:
            family = 2 if len(part) == 4 else 1
            words += ["".join(syllables[:family]), "".join(syllables[family:])]
        else:
            words.append("".join(syllables))
    return " ".join(words)


def _tokens(text: str) -> tuple[str, ...]:
    lowered = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", text).lower()
    lowered = re.sub(r"[.'`’]", "", lowered)
    for phrase, short in _WORDS.phrases:
        lowered = re.sub(rf"\b{phrase}\b", short, lowered)
    words = re.findall(r"[a-z0-9]+", lowered)
    words = [_WORDS.legal_forms.get(word, _WORDS.numbers.get(word, word)) for word in words]
    kept = [word for word in words if word not in _WORDS.titles] or words
    unique = list(dict.fromkeys(kept))
    return tuple(unique[:16])


@lru_cache(maxsize=65536)
def skeleton(token: str) -> str:
    """How a token sounds, roughly: consonant classes without doubles, its first vowel class kept."""
    reduced = re.sub(r"(.)\1+", r"\1", token)
    first = "a" if reduced[:1] in "aeiouy" else ""
    for pattern, sound in _SOUND:
        reduced = re.sub(pattern, sound, reduced)
    return first + re.sub(r"(.)\1+", r"\1", reduced)


@lru_cache(maxsize=262144)
def token_similarity(one: str, other: str) -> float:
    """Likeness of two tokens, 0..1."""
    if one == other:
        return 1.0
    if _WORDS.given_names.get(one, one) == _WORDS.given_names.get(other, other):
        return 0.95
    if min(len(one), len(other)) == 1:
        return 0.75 if one[0] == other[0] else 0.0
    if one.isdigit() or other.isdigit():
        return 0.0
    edits = 1.0 - OSA.distance(one, other) / max(len(one), len(other))
    winkler = JaroWinkler.similarity(one, other)
    sound = JaroWinkler.similarity(skeleton(one), skeleton(other))
    return 0.45 * edits + 0.3 * winkler + 0.25 * sound


FEATURES = (
    "mean", "worst", "joined", "extra", "conflict", "edits", "sound", "exact_share", "first", "last", "initials",
    "single", "crossed", "patronymic_crossed", "legal_conflict", "legal_form", "ideographs_differ", "number_conflict",
)  # fmt: skip


def features(one: Name, other: Name) -> NDArray[np.float64]:
    """Features of the best pair of renditions, (18,) as named in FEATURES; zeros when a name is empty."""
    best = np.zeros(len(FEATURES))
    best[FEATURES.index("edits")] = 1.0
    best[FEATURES.index("conflict")] = 1.0
    for left in one.renditions:
        for right in other.renditions:
            found = _features(left, right, one.family_first or other.family_first)
            if found[0] + found[2] > best[0] + best[2]:
                best = found
    if one.ideographs and other.ideographs:
        best[FEATURES.index("ideographs_differ")] = float(sorted(one.ideographs) != sorted(other.ideographs))
    return best


def _features(one: tuple[str, ...], other: tuple[str, ...], family_first: bool) -> NDArray[np.float64]:
    if len(one) > len(other):
        one, other = other, one
    one, other = _rejoin(one, other)
    likeness = np.array([[token_similarity(a, b) for b in other] for a in one])
    rows, columns = linear_sum_assignment(-likeness)
    pairs = [(one[row], other[column], likeness[row, column]) for row, column in zip(rows, columns, strict=True)]
    weights = np.array([_weight(a) + _weight(b) for a, b, _ in pairs])
    values = np.array([value for _, _, value in pairs])
    mean = float((weights * values).sum() / weights.sum())
    worst = min((value for a, b, value in pairs if _weight(a) > 0.5 or _weight(b) > 0.5), default=mean)
    matched = set(columns.tolist())
    extra = sum(_weight(token) for i, token in enumerate(other) if i not in matched)
    letters = sum(map(len, one))
    distance = sum((1.0 - value) * max(len(a), len(b)) for a, b, value in pairs)
    joined, joined_other = "".join(one), "".join(other)
    whole = max(
        1.0 - OSA.distance(joined, joined_other) / max(len(joined), len(joined_other)),
        1.0 - OSA.distance("".join(sorted(one)), "".join(sorted(other))) / max(len(joined), len(joined_other)),
    )
    worst_pair = min(pairs, key=lambda pair: pair[2] + (1.0 if _weight(pair[0]) <= 0.5 else 0.0))
    sound = JaroWinkler.similarity(skeleton(worst_pair[0]), skeleton(worst_pair[1]))
    sure = columns[(values > 0.8) & np.array([_weight(a) > 0.5 for a, _, _ in pairs])]
    crossed = bool(np.any(np.diff(sure) < 0))
    forms, other_forms = _FORMS & set(one), _FORMS & set(other)
    return np.array(
        [
            mean,
            worst,
            whole,
            extra / (extra + weights.sum() / 2),
            float(worst < 0.6),
            min(1.0, distance / max(4.0, 0.5 * letters)),
            sound,
            float((values > 0.99).mean()),
            token_similarity(one[0], other[0]),
            token_similarity(one[-1], other[-1]),
            float(any(min(len(a), len(b)) == 1 for a, b, _ in pairs)),
            float(len(one) == 1 and len(other) > 1),
            float(crossed and not family_first),
            float(crossed and bool(_PATRONYMIC & set(one) & set(other))),
            float(bool(forms) and bool(other_forms) and not forms & other_forms),
            float(bool(forms) or bool(other_forms)),
            0.0,
            float({t for t in one if t.isdigit()} != {t for t in other if t.isdigit()}),
        ]
    )


def _weight(token: str) -> float:
    return 0.35 if token in _LIGHT else 1.0


def _rejoin(one: tuple[str, ...], other: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Join neighbouring tokens of one name that the other writes as one word (JanDaniel, Good Will)."""
    for _ in range(2):
        one, other = _join_into(one, other), _join_into(other, one)
    return one, other


def _join_into(tokens: tuple[str, ...], target: tuple[str, ...]) -> tuple[str, ...]:
    long = {token for token in target if len(token) > 3 and token not in tokens}
    for index in range(len(tokens) - 1):
        joined = tokens[index] + tokens[index + 1]
        if any(OSA.distance(joined, token) <= len(token) // 8 for token in long):
            return (*tokens[:index], joined, *tokens[index + 2 :])
    return tokens


@dataclass(frozen=True)
class Weights:
    """Logistic weights: `intercept` and one a feature."""

    intercept: float
    values: tuple[float, ...]


@cache
def default_weights() -> Weights:
    """The weights that ship with the robot.

    Raises:
        InputError: the file is missing or does not fit this version's features.
    """
    return load_weights(share() / "models" / "name_matcher.json")


def load_weights(path: Path) -> Weights:
    """Read weights written by the training script.

    Raises:
        InputError: missing, no JSON, or for other features.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        weights = Weights(float(content["intercept"]), tuple(float(content["weights"][name]) for name in FEATURES))
    except OSError as error:
        raise InputError(path, error.strerror or "cannot be read") from error
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(path, f"no weights of this version: {error}") from error
    return weights


def match_probability(one: Name, other: Name, weights: Weights | None = None) -> float:
    """Probability that two names are of one bearer, 0..1."""
    chosen = weights or default_weights()
    values = features(one, other)
    if not values.any() or not one.renditions or not other.renditions:
        return 0.0
    return float(1.0 / (1.0 + np.exp(-(chosen.intercept + values @ np.array(chosen.values)))))
