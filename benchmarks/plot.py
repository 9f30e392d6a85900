"""Lines over time as an SVG file, without a library: for a person to look at, not for publication."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

_WIDTH, _HEIGHT, _MARGIN, _GAP = 900, 180, 60, 50
_COLOURS = ("#0b6e99", "#c2410c", "#4d7c0f", "#7e22ce")


@dataclass(frozen=True, slots=True)
class Panel:
    """One pair of axes: a name, the top of its scale (the highest value without one), and lines by their names."""

    title: str
    lines: dict[str, Sequence[float]]
    top: float | None = None


def draw(path: Path, title: str, panels: Sequence[Panel], seconds: float = 1.0) -> None:
    """Write the panels below each other; a sample stands for so many seconds."""
    height = _MARGIN + len(panels) * (_HEIGHT + _GAP)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{height}" font-family="sans-serif"'
        ' font-size="12">',
        '<rect width="100%" height="100%" fill="white"/>',
        f'<text x="{_MARGIN}" y="24" font-size="16">{escape(title)}</text>',
    ]
    for number, panel in enumerate(panels):
        parts += _panel(panel, _MARGIN + number * (_HEIGHT + _GAP), seconds)
    path.write_text("\n".join([*parts, "</svg>\n"]), encoding="utf-8")


def _panel(panel: Panel, y: float, seconds: float) -> list[str]:
    samples = max((len(line) for line in panel.lines.values()), default=0)
    top = panel.top or max((value for line in panel.lines.values() for value in line), default=0) or 1.0
    width, base = _WIDTH - 2 * _MARGIN, y + _HEIGHT
    parts = [f'<text x="{_MARGIN}" y="{y - 6}" font-weight="bold">{escape(panel.title)}</text>']
    for share in (0.0, 0.5, 1.0):
        line_y = base - share * _HEIGHT
        parts.append(f'<path d="M{_MARGIN} {line_y}h{width}" stroke="#ddd"/>')
        parts.append(f'<text x="{_MARGIN - 6}" y="{line_y + 4}" text-anchor="end">{share * top:g}</text>')
    parts.append(f'<text x="{_WIDTH - _MARGIN}" y="{base + 16}" text-anchor="end">{samples * seconds:g} s</text>')
    for number, (name, line) in enumerate(panel.lines.items()):
        colour = _COLOURS[number % len(_COLOURS)]
        points = " ".join(
            f"{_MARGIN + width * at / max(1, samples - 1):.1f},{base - _HEIGHT * min(1.0, value / top):.1f}"
            for at, value in enumerate(line)
        )
        parts.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="1.5"/>')
        parts.append(f'<text x="{_MARGIN + 8 + 130 * number}" y="{base + 16}" fill="{colour}">{escape(name)}</text>')
    return parts
