"""The page's colours can be read in both themes, and told apart by the colour-blind."""

from __future__ import annotations

import re
from importlib.resources import files
from itertools import combinations

import numpy as np
import pytest

STYLE = (files("leanloop.report.dashboard") / "style.css").read_text()
PAIRS = re.findall(r"--([\w-]+): light-dark\((#[0-9a-f]{6}), (#[0-9a-f]{6})\);", STYLE)
THEMES = {
    "light": {name: light for name, light, _ in PAIRS},
    "dark": {name: dark for name, _, dark in PAIRS},
}
TEXTS = ["ink", "dim", "link", "bad", "good"]
KINDS = ["baseline", "member", "recommended", "alive", "dropped", "reference"]
CLASSES = ["uncached", "cache_read", "cache_write", "output", "reasoning"]
SEEN = [*KINDS, *CLASSES, "edge", "focus"]
# Machado, Oliveira and Fernandes (2009), full severity, on linear RGB.
BLIND = {
    "protan": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deutan": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "tritan": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}
LEAST_APART = 10.0
"""Distance in CIELAB; about 2.3 can just be noticed side by side."""


def linear(colour: str) -> np.ndarray:
    values = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def contrast(one: str, other: str) -> float:
    light = sorted(float(linear(c) @ [0.2126, 0.7152, 0.0722]) for c in (one, other))
    return (light[1] + 0.05) / (light[0] + 0.05)


def lab(rgb: np.ndarray) -> np.ndarray:
    matrix = [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
    xyz = np.array(matrix) @ np.clip(rgb, 0, 1) / [0.9505, 1.0, 1.089]
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def test_the_measure_is_that_of_wcag():
    assert contrast("#000000", "#ffffff") == pytest.approx(21.0)
    assert contrast("#767676", "#ffffff") == pytest.approx(4.54, abs=0.01)


def test_no_colour_stands_outside_the_palette():
    assert len(PAIRS) == STYLE.count("light-dark(")
    rest = re.sub(r":root \{.*?\n\}", "", STYLE, count=1, flags=re.S)
    assert re.findall(r"#[0-9a-fA-F]{3,8}\b", rest) == ["#0008"]  # behind a dialog
    assert set(TEXTS + SEEN) <= set(THEMES["light"])
    used = set(re.findall(r"var\(--([\w-]+)\)", STYLE))
    assert used <= set(THEMES["light"])


@pytest.mark.parametrize("theme", THEMES)
def test_text_has_contrast(theme):
    palette = THEMES[theme]
    found = {(t, g): contrast(palette[t], palette[g]) for t in TEXTS for g in ("paper", "soft")}
    found["on-button", "button"] = contrast(palette["on-button"], palette["button"])
    assert {pair: c for pair, c in found.items() if c < 4.5} == {}


@pytest.mark.parametrize("theme", THEMES)
def test_what_is_drawn_has_contrast(theme):
    palette = THEMES[theme]
    found = {(t, g): contrast(palette[t], palette[g]) for t in SEEN for g in ("paper", "soft")}
    assert {pair: c for pair, c in found.items() if c < 3} == {}


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("eye", BLIND)
@pytest.mark.parametrize("names", [KINDS, CLASSES], ids=["kinds", "classes"])
def test_colours_are_told_apart_by_the_colour_blind(theme, eye, names):
    seen = {n: lab(np.array(BLIND[eye]) @ linear(THEMES[theme][n])) for n in names}
    apart = {(a, b): np.linalg.norm(seen[a] - seen[b]) for a, b in combinations(names, 2)}
    assert {pair: round(float(d), 1) for pair, d in apart.items() if d < LEAST_APART} == {}
