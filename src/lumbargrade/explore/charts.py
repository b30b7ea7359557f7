"""Histograms as inline SVG, drawn with the page's own colours."""

from collections.abc import Sequence

import numpy as np

WIDTH, HEIGHT, MARGIN, BASE = 300, 120, 34, 22


def histogram(values: Sequence[float], bins: int = 20) -> str:
    """Bars over equally wide bins, counts on the left, values below; whole numbers get a bin each where they are few."""
    if not values:
        return ""
    found = np.array(values, np.float64)
    low, high = float(found.min()), float(found.max())
    if np.all(found == np.round(found)) and high - low < bins:
        edges = np.arange(low - 0.5, high + 1.5)
    else:
        edges = np.linspace(low, high if high - low > 1e-9 * abs(high) else low + 1, bins + 1)  # values may differ by rounding alone
    counts, _ = np.histogram(found, edges)
    scale = (WIDTH - MARGIN - 4) / len(counts)
    tall = (HEIGHT - BASE - 8) / max(1, int(counts.max()))
    bars = [
        f'<rect x="{MARGIN + index * scale + 0.5:.1f}" y="{HEIGHT - BASE - count * tall:.1f}" width="{max(1.0, scale - 1):.1f}" '
        f'height="{count * tall:.1f}"><title>{edges[index]:.3g} to {edges[index + 1]:.3g}: {count}</title></rect>'
        for index, count in enumerate(counts.tolist())
    ]
    texts = [
        (MARGIN - 4, 14, "end", f"{int(counts.max())}"),
        (MARGIN - 4, HEIGHT - BASE, "end", "0"),
        (MARGIN, HEIGHT - 6, "start", f"{low:.4g}"),
        (WIDTH - 4, HEIGHT - 6, "end", f"{high:.4g}"),
        ((MARGIN + WIDTH) / 2, HEIGHT - 6, "middle", f"median {float(np.median(found)):.4g}"),
    ]
    words = [f'<text x="{x:.0f}" y="{y:.0f}" text-anchor="{anchor}">{text}</text>' for x, y, anchor, text in texts]
    axis = f'<line x1="{MARGIN}" y1="{HEIGHT - BASE}" x2="{WIDTH - 4}" y2="{HEIGHT - BASE}"/>'
    return f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" class="histogram" role="img">{"".join(bars)}{axis}{"".join(words)}</svg>'
