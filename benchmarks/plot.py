"""Two panels of bars as SVG; where there is a floor, it is a line too."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape

WIDTH, ROW, LEFT, PANEL, GAP = 720, 28, 90, 250, 60
COLOURS = {"ours": "#2563eb", "floor": "#64748b"}
OTHER = "#d97706"
Bar = tuple[str, float, float]  # name, value of the left panel, of the right one


def plot(bars: Sequence[Bar], left: str, right: str) -> str:
    height = 40 + ROW * len(bars)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
        'font-family="sans-serif" font-size="13">',
        f'<rect width="{WIDTH}" height="{height}" fill="white"/>',
        *_panel(left, bars, 1, LEFT),
        *_panel(right, bars, 2, LEFT + PANEL + GAP),
        *(
            f'<text x="8" y="{_middle(row)}">{escape(bar[0])}</text>'
            for row, bar in enumerate(bars)
        ),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _panel(title: str, bars: Sequence[Bar], value: int, left: int) -> Iterator[str]:
    scale = (PANEL - 45) / max(float(bar[value]) for bar in bars)
    yield f'<text x="{left}" y="20" font-weight="bold">{title}</text>'
    for row, bar in enumerate(bars):
        size = float(bar[value])
        colour = COLOURS.get(bar[0], OTHER)
        top, length = 32 + ROW * row, round(size * scale, 1)
        yield f'<rect x="{left}" y="{top}" width="{length}" height="18" fill="{colour}"/>'
        yield f'<text x="{left + length + 6}" y="{_middle(row)}">{size:.2f}</text>'
    for bar in bars:
        if bar[0] == "floor":
            at = round(left + float(bar[value]) * scale, 1)
            bottom = 32 + ROW * len(bars)
            line = f'<line x1="{at}" y1="28" x2="{at}" y2="{bottom}"'
            yield line + ' stroke="#64748b" stroke-dasharray="3 3"/>'


def _middle(row: int) -> int:
    return 46 + ROW * row
