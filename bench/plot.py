# SPDX-License-Identifier: GPL-2.0
"""Two kinds of pictures as SVG: bars in groups, and lines on logarithmic axes."""

import math
from xml.sax.saxutils import escape

WIDTH = 900
LEFT = 150
RIGHT = 90
TOP = 56
BAR = 15
GAP = 26
HEAD = ('<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {w} {h}" width="{w}" height="{h}" '
        'font-family="sans-serif" font-size="12">\n'
        '<rect width="{w}" height="{h}" fill="white"/>\n')


def text(x, y, words, anchor="start", size=12, color="#222222"):
    return (f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}" '
            f'fill="{color}">{escape(words)}</text>\n')


def line(x1, y1, x2, y2, color="#dddddd", width=1.0):
    return (f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{color}" '
            f'stroke-width="{width}"/>\n')


def frame(height, title, note):
    return (HEAD.format(w=WIDTH, h=height) + text(12, 22, title, size=16) +
            text(12, 40, note, size=10, color="#666666"))


def bars(title, note, groups):
    """groups: (name, [(peer, value, color)]); bars may go below zero."""
    values = [value for _, entries in groups for _, value, _ in entries]
    low, high = min(0, *values), max(0, *values) or 1
    scale = (WIDTH - LEFT - RIGHT) / (high - low)
    zero = LEFT - low * scale
    height = TOP + sum(GAP + BAR * len(entries) for _, entries in groups) + 12
    out = frame(height, title, note)
    y = TOP
    for name, entries in groups:
        out += text(12, y + 16, name, size=13)
        y += GAP
        for peer, value, color in entries:
            begin, end = sorted((zero, zero + value * scale))
            out += text(LEFT - 6, y + BAR - 4, peer, "end", 11)
            out += (f'<rect x="{begin:.1f}" y="{y + 1}" width="{max(end - begin, 1):.1f}" '
                    f'height="{BAR - 3}" fill="{color}"/>\n')
            out += text(end + 5, y + BAR - 4, f"{value:,.0f}", size=11)
            y += BAR
    return out + line(zero, TOP, zero, height - 8, "#222222") + "</svg>\n"


def decades(low, high):
    return range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)


def lines(title, note, series, axis="operations pending"):
    """series: (peer, color, [(x, y)]), all above zero; axis: what x is."""
    height = 440
    bottom, right = height - 40, WIDTH - 170
    xs = decades(min(x for _, _, points in series for x, _ in points),
                 max(x for _, _, points in series for x, _ in points))
    ys = decades(min(y for _, _, points in series for _, y in points),
                 max(y for _, _, points in series for _, y in points))

    def place(x, y):
        return (60 + (right - 60) * (math.log10(x) - xs[0]) / max(xs[-1] - xs[0], 1),
                bottom - (bottom - TOP) * (math.log10(y) - ys[0]) / max(ys[-1] - ys[0], 1))

    out = frame(height, title, note)
    for power in xs:
        x, _ = place(10 ** power, 10 ** ys[0])
        out += line(x, TOP, x, bottom) + text(x, bottom + 16, f"{10 ** power:,}", "middle", 11)
    for power in ys:
        _, y = place(10 ** xs[0], 10 ** power)
        out += line(60, y, right, y) + text(54, y + 4, f"{10 ** power:,}", "end", 11)
    for i, (peer, color, points) in enumerate(series):
        spots = [place(x, y) for x, y in points]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in spots)
        out += f'<polyline points="{path}" fill="none" stroke="{color}" stroke-width="2"/>\n'
        out += "".join(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{color}"/>\n'
                       for x, y in spots)
        out += line(right + 14, TOP + 18 * i, right + 34, TOP + 18 * i, color, 3)
        out += text(right + 40, TOP + 18 * i + 4, peer, size=11)
    return out + text((60 + right) / 2, height - 8, axis, "middle") + "</svg>\n"
