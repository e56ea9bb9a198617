"""Text can be read in both schemes: WCAG 2.2, success criterion 1.4.3 (level AA: 4.5 to 1)."""

from __future__ import annotations

import re

import pytest

from channeld.pages.policy import STYLE

PAIRS = [
    *((ink, ground) for ink in ("text", "muted", "link") for ground in ("ground", "panel", "code")),
    ("warn-text", "warn-ground"),
]


def schemes() -> dict[str, dict[str, str]]:
    """Return the colours of the light and of the dark scheme, by their names."""
    light, dark = (
        dict(re.findall(r"--([a-z-]+): #([0-9a-f]{6});", block))
        for block in re.findall(r":root \{(.*?)\}", STYLE, re.DOTALL)
    )
    return {"light": light, "dark": dark}


def luminance(colour: str) -> float:
    """Return the relative luminance of a colour, as WCAG 2.2 defines it."""
    channels = [int(colour[at : at + 2], 16) / 255 for at in (0, 2, 4)]
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_both_schemes_name_the_same_colours() -> None:
    assert schemes()["light"].keys() == schemes()["dark"].keys()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("ink", "ground"), PAIRS)
def test_text_stands_out(scheme: str, ink: str, ground: str) -> None:
    colours = schemes()[scheme]
    darker, lighter = sorted(luminance(colours[name]) for name in (ink, ground))
    assert (lighter + 0.05) / (darker + 0.05) >= 4.5


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_focus_and_marks_stand_out(scheme: str) -> None:
    colours = schemes()[scheme]
    for ground in ("ground", "panel"):
        darker, lighter = sorted(luminance(colours[name]) for name in ("accent", ground))
        assert (lighter + 0.05) / (darker + 0.05) >= 3  # 1.4.11: what is not text
