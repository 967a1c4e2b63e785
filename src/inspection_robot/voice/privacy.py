"""Transcripts without personal data, kept for a limited time."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import date, datetime, timedelta
from pathlib import Path

from inspection_robot.voice.text import clean

_REPLACED: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+"), "[mail]"),
    (re.compile(r"(?<![\dA-Za-z])\d{17}[\dXx](?![\dA-Za-z])"), "[document]"),  # Chinese identity number, GB 11643
    (re.compile(r"(?<![\dA-Za-z])[A-Za-z]{1,2}\s?\d{6,9}(?![\dA-Za-z])"), "[document]"),  # passports, travel permits
    (
        re.compile(r"(?<!\d)\+?\d(?:[\s-]?\d){6,14}(?!\d)"),
        "[number]",
    ),  # telephones (ITU-T E.164: up to 15 digits), cards
    (re.compile(r"(?i)\b(my name is|i am called|call me)\s+[\w'’-]+(?:\s+[A-Z][\w'’-]+)*"), r"\1 [name]"),
    (re.compile(r"(我叫|我的名字是|我姓名是)[\u3400-\u9fff·]{2,4}"), r"\1[name]"),
    (re.compile(r"(?:[零〇一二两三四五六七八九幺]){7,}"), "[number]"),
    (
        re.compile(r"(?i)\b(?:(?:zero|oh|one|two|three|four|five|six|seven|eight|nine|double|triple)[\s-]+){6,}\w+"),
        "[number]",
    ),
)


def without_personal_data(text: str) -> str:
    """Return text with names, telephone, document and card numbers and mail addresses replaced by their kind."""
    text = clean(text, 2000)
    for pattern, replacement in _REPLACED:
        text = pattern.sub(replacement, text)
    return text


@dataclass(frozen=True)
class Line:
    """One line of a conversation. ``session`` is random and tied to nobody."""

    at: str
    session: str
    speaker: str
    language: str
    text: str
    answer_id: str = ""
    refused: bool = False


class TranscriptStore:
    """One file a day, lines of JSON; files older than the retention are deleted.

    Args:
        folder: where; made readable by its owner only.
        retention_days: 0 keeps nothing at all.
        now: the clock.
    """

    def __init__(self, folder: Path, retention_days: int, now: Callable[[], datetime] = datetime.now) -> None:
        self._folder, self._days, self._now = folder, retention_days, now

    @property
    def retention_days(self) -> int:
        """How long transcripts are kept [d]."""
        return self._days

    @property
    def keeps(self) -> bool:
        """Whether any are kept."""
        return self._days > 0

    def add(
        self, session: str, speaker: str, language: str, text: str, answer_id: str = "", refused: bool = False
    ) -> None:
        """Write one line, personal data removed."""
        if self._days <= 0:
            return
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        now = self._now()
        line = Line(
            now.isoformat(timespec="seconds"),
            session,
            speaker,
            language,
            without_personal_data(text),
            answer_id,
            refused,
        )
        path = self._folder / f"{now.date().isoformat()}.jsonl"
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        with os.fdopen(descriptor, "a", encoding="utf-8") as file:
            file.write(json.dumps(asdict(line), ensure_ascii=False) + "\n")

    def forget(self, session: str) -> int:
        """Delete a session's lines, on the traveller's wish; returns how many."""
        removed = 0
        for path in sorted(self._folder.glob("*.jsonl")):
            lines = path.read_text(encoding="utf-8").splitlines()
            kept = [line for line in lines if json.loads(line)["session"] != session]
            if len(kept) < len(lines):
                removed += len(lines) - len(kept)
                fresh = path.with_suffix(".new")
                fresh.write_text("".join(f"{line}\n" for line in kept), encoding="utf-8")
                fresh.chmod(0o600)
                fresh.replace(path)
        return removed

    def purge(self) -> list[date]:
        """Delete what is older than the retention; returns the days deleted."""
        oldest = self._now().date() - timedelta(days=max(0, self._days - 1))
        deleted = []
        for path in sorted(self._folder.glob("*.jsonl")):
            day = date.fromisoformat(path.stem)
            if day < oldest or self._days <= 0:
                path.unlink()
                deleted.append(day)
        return deleted
