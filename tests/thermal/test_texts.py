from __future__ import annotations

import pytest
import yaml

from inspection_robot.thermal.decision import Stage
from inspection_robot.thermal.quality import REASONS
from tests.data import REPOSITORY


@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_reason_and_stage_has_its_words(language: str) -> None:
    words = yaml.safe_load((REPOSITORY / "config" / "text" / language / "thermal.yaml").read_text(encoding="utf-8"))
    assert set(words["reason"]) == set(REASONS)
    assert set(words["stage"]) == {stage.value for stage in Stage}
    assert all(text.strip() for part in words.values() for text in part.values())
