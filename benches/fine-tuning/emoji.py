"""Class folders of emoji glyphs, for measuring what fine-tuning gains.

    npm pack emoji-datasource-google emoji-datasource-twitter
    python3 benches/fine-tuning/emoji.py OUT emoji-datasource-google-*.tgz emoji-datasource-twitter-*.tgz

Needs `pillow`. A class is a glyph, an image is one vendor's drawing of it in 64 x 64 pixels on
white. Six categories are dealt into two halves, so that no glyph is in both; left out are people
(hundreds of nearly the same), symbols and flags (which vendors draw alike).

- OUT/first: both drawings of each glyph are trained on.
- OUT/second: the first vendor's drawing is trained on, the second vendor's is held out.
"""

import io
import json
import sys
import tarfile
from pathlib import Path

from PIL import Image

CELL, SIDE = 66, 64
FIRST = {"Animals & Nature", "Food & Drink", "Travel & Places"}
SECOND = {"Activities", "Objects", "Smileys & Emotion"}


class Vendor:
    """One package: its glyphs and the sheet that they are drawn on."""

    def __init__(self, path):
        with tarfile.open(path) as archive:
            names = archive.getnames()
            self.name = json.load(archive.extractfile("package/package.json"))["name"].split("-")[-1]
            self.glyphs = json.load(archive.extractfile("package/emoji.json"))
            sheet = f"package/img/{self.name}/sheets/{SIDE}.png"
            assert sheet in names, f"{path} has no {sheet}"
            pixels = archive.extractfile(sheet).read()
        self.sheet = Image.open(io.BytesIO(pixels)).convert("RGBA")

    def draw(self, glyph):
        left, top = glyph["sheet_x"] * CELL + 1, glyph["sheet_y"] * CELL + 1
        part = self.sheet.crop((left, top, left + SIDE, top + SIDE))
        white = Image.new("RGBA", part.size, "white")
        return Image.alpha_composite(white, part).convert("RGB")


def main(out, packages):
    vendors = [Vendor(path) for path in packages]
    counts = {"first": 0, "second": 0}
    for glyph in vendors[0].glyphs:
        half = "first" if glyph["category"] in FIRST else "second"
        known = glyph["category"] in FIRST | SECOND
        if not known or not all(glyph.get(f"has_img_{v.name}") for v in vendors):
            continue
        counts[half] += 1
        for i, vendor in enumerate(vendors):
            splits = ["train"] if half == "first" else [["train", "val"][i > 0]]
            if half == "first" and i > 0:
                splits.append("val")
            for split in splits:
                path = Path(out, half, split, glyph["unified"], f"{vendor.name}.png")
                path.parent.mkdir(parents=True, exist_ok=True)
                vendor.draw(glyph).save(path)
    print(", ".join(f"{half}: {n} glyphs" for half, n in counts.items()))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
