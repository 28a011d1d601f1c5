#!/usr/bin/env python3
"""Draws the test accuracy of runs after each epoch.

    python3 docs/images/curve.py "in 8 epochs" runs/a runs/b "in 20 epochs" runs/c > curve.svg

A name begins a colour; the runs behind it share it. Runs need validation (`--val-every 1`).
"""

import json
import math
import pathlib
import sys

WIDTH, HEIGHT = 640, 300
LEFT, RIGHT, TOP, BOTTOM = 52, 150, 16, 40
COLOURS = ["#2a6fb0", "#c2571a", "#3a8a3a"]


def points(run):
    lines = (pathlib.Path(run) / "metrics.jsonl").read_text().splitlines()
    records = [json.loads(line) for line in lines]
    return [(r["epoch"], 100 * r["top1"]) for r in records if r["split"] == "val"]


def groups(arguments):
    found = []
    for argument in arguments:
        if (pathlib.Path(argument) / "metrics.jsonl").exists():
            found[-1][1].append(points(argument))
        else:
            found.append((argument, []))
    return found


def main():
    shown = groups(sys.argv[1:])
    everything = [point for _, runs in shown for run in runs for point in run]
    last = max(epoch for epoch, _ in everything)
    low = math.floor(min(top1 for _, top1 in everything))
    high = math.ceil(max(top1 for _, top1 in everything))

    def x(epoch):
        return LEFT + (WIDTH - LEFT - RIGHT) * epoch / last

    def y(top1):
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * (top1 - low) / (high - low)

    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
        'font-family="sans-serif" font-size="12" fill="#555">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>',
    ]
    for top1 in range(low, high + 1):
        out.append(
            f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y(top1):.1f}" y2="{y(top1):.1f}" '
            'stroke="#ddd"/>'
            f'<text x="{LEFT - 6}" y="{y(top1) + 4:.1f}" text-anchor="end">{top1} %</text>'
        )
    for epoch in range(0, last + 1, 2):
        out.append(f'<text x="{x(epoch):.1f}" y="{HEIGHT - 22}" text-anchor="middle">{epoch}</text>')
    middle = (LEFT + WIDTH - RIGHT) / 2
    out.append(f'<text x="{middle}" y="{HEIGHT - 5}" text-anchor="middle">epochs</text>')
    for colour, (name, runs) in zip(COLOURS, shown):
        for run in runs:
            line = " ".join(f"{x(epoch):.1f},{y(top1):.1f}" for epoch, top1 in run)
            out.append(f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="1.5"/>')
        epoch, top1 = runs[0][-1]
        out.append(f'<text x="{x(epoch) + 8:.1f}" y="{y(top1) + 4:.1f}" fill="{colour}">{name}</text>')
    out.append("</svg>")
    print("\n".join(out))


main()
