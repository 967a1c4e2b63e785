"""Pages from templates and catalogues: language, numbers with unit and uncertainty, times."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from inspection_center.auth.permissions import Principal
from inspection_center.service import center_of
from inspection_contract.resources import share

LANGUAGES = ("zh", "en")
PARTS = ("console", "console_*", "declarations", "public")
"""Files of texts (patterns); no two have the same key."""
LANGUAGE_COOKIE = "inspection_language"
_FOLDER = Path(__file__).resolve().parents[1]
SEVERITIES = ("info", "notice", "warning", "alarm", "emergency")
# UCUM codes as people read them.
_UNITS = {"Cel": "°C", "K": "K", "1": "", "{counts}/s": "s⁻¹", "uSv/h": "µSv/h", "m": "m", "%": "%"}


@cache
def catalogue(language: str) -> dict[str, str]:
    """Texts of the pages by dotted key."""
    texts: dict[str, str] = {}
    folder = share() / "config" / "text" / language
    for path in (path for part in PARTS for path in sorted(folder.glob(f"{part}.yaml"))):
        texts.update(_flatten("", yaml.safe_load(path.read_text(encoding="utf-8"))))
    return texts


def _flatten(prefix: str, node: Mapping[str, Any]) -> list[tuple[str, str]]:
    items: list[tuple[str, str]] = []
    for key, value in node.items():
        if isinstance(value, dict):
            items.extend(_flatten(f"{prefix}{key}.", value))
        else:
            items.append((f"{prefix}{key}", str(value)))
    return items


class Words:
    """Looks texts up: a missing key is a fault of the program, a kind nobody named is shown as it is."""

    def __init__(self, language: str) -> None:
        self.language = language
        self._texts = catalogue(language)

    def __call__(self, key: str, **values: object) -> str:
        """The text of a key with its values filled in."""
        return self._texts[key].format(**values)

    def text(self, key: str) -> str:
        """The text of a key with its places still open, for scripts that fill them in."""
        return self._texts[key]

    def part(self, *groups: str) -> dict[str, str]:
        """All texts of some groups by key, for scripts."""
        return {key: text for key, text in self._texts.items() if key.partition(".")[0] in groups}

    def name(self, group: str, value: str) -> str:
        """The name of a value (`kind.thermal.fever`), or the value itself."""
        return self._texts.get(f"{group}.{value}", value)

    def actor(self, who: str) -> str:
        """Who did something, as people say it: `officer:li` is li, `robot:robot_1` is robot_1."""
        kind, _, name = who.partition(":")
        if not name:
            return who
        opening, closing = ("（", "）") if self.language == "zh" else (" (", ")")
        return f"{name}{opening}{self.name('actor', kind)}{closing}"

    def problem(self, text: str) -> str:
        """What the program says, in the language of the page: texts are found by their English form."""
        for key, pattern in _problems():
            match = pattern.fullmatch(text)
            if match is not None:
                return self(key, **{name: self._told(name, value) for name, value in match.groupdict().items()})
        return text

    def _told(self, name: str, value: str) -> str:
        if name == "fault":
            return self.problem(value)
        return self.name({"state": "alert_state", "role": "role"}.get(name, ""), value)


@cache
def _problems() -> list[tuple[str, re.Pattern[str]]]:
    """Keys of `problem_text` with what matches their English form, the most definite first."""
    texts = {key: text for key, text in catalogue("en").items() if key.startswith("problem_text.")}
    order = sorted(texts, key=lambda key: -len(re.sub(r"\{\w+\}", "", texts[key])))
    return [(key, re.compile(re.sub(r"\\{(\w+)\\}", r"(?P<\1>.+)", re.escape(texts[key])))) for key in order]


def language_of(request: Request) -> str:
    """The language a browser wants: its choice, else what it accepts, else the installation's."""
    chosen = request.cookies.get(LANGUAGE_COOKIE, "")
    if chosen in LANGUAGES:
        return chosen
    for part in request.headers.get("accept-language", "").split(","):
        code = part.split(";")[0].strip().lower()[:2]
        if code in LANGUAGES:
            return code
    return center_of(request).settings.language


def reading(value: float | None, uncertainty: float | None, unit: str) -> str:
    """A value with its standard uncertainty, rounded to two digits of it: 38.40 ± 0.21 °C."""
    if value is None:
        return "—"
    suffix = f" {_UNITS.get(unit, unit)}".rstrip()
    if uncertainty is None or uncertainty <= 0:
        return f"{value:.4g}{suffix}"
    decimals = max(0, min(6, 1 - math.floor(math.log10(uncertainty))))
    return f"{value:.{decimals}f} ± {uncertainty:.{decimals}f}{suffix}"


def duration(seconds: float) -> str:
    """A time span as a clock shows it: 12 s, 4:05, 3:00:10."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


@cache
def environment() -> Environment:
    """The template environment: everything escaped, undefined names are faults."""
    made = Environment(
        loader=FileSystemLoader(_FOLDER / "templates"),
        autoescape=select_autoescape(default=True, default_for_string=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.globals.update(reading=reading, duration=duration, severities=SEVERITIES)
    made.filters["from_json"] = json.loads
    return made


def render(template: str, language: str, **values: Any) -> str:
    """A template as text, in a language."""
    return environment().get_template(template).render(t=Words(language), language=language, **values)


def page(
    request: Request, template: str, principal: Principal | None, status: int = 200, **values: Any
) -> HTMLResponse:
    """A whole page."""
    text = render(template, language_of(request), principal=principal, path=request.url.path, **values)
    return HTMLResponse(text, status, headers={"Cache-Control": "no-store"})
