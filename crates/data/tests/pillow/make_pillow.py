"""Makes the images in this folder, and beside each what Pillow decodes it to (.ppm).

    python3 crates/data/tests/pillow/make_pillow.py

Needs `pillow` and `numpy` (made with Pillow 13.0.0). `ycck.jpg` is an input: it was written by
the encoder of `inception-testkit`, because Pillow writes no YCCK.
"""

import struct
import zlib
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

HERE = Path(__file__).parent
W, H = 29, 21


def picture():
    """A smooth picture with all hues."""
    x, y = np.meshgrid(np.arange(W), np.arange(H))
    phase = [0.0, 1.5, 3.0]
    waves = [127 + 90 * np.sin(x / 9 + p) * np.cos(y / 7) for p in phase]
    return np.stack(waves, -1).astype(np.uint8)


def chunk(name, data):
    crc = zlib.crc32(name + data)
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", crc)


def png(rows, depth, color, interlace=0, extra=b""):
    """A PNG of filtered rows."""
    head = struct.pack(">IIBBBBB", W, H, depth, color, 0, 0, interlace)
    data = zlib.compress(b"".join(rows), 9)
    start = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + extra
    return start + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def plain_rows(samples):
    return [b"\0" + row.tobytes() for row in samples]


def interlaced_rows(samples):
    """Adam7's seven passes."""
    passes = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4),
              (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]
    for left, top, right, down in passes:
        part = samples[top::down, left::right]
        if part.size:
            yield from plain_rows(np.ascontiguousarray(part))


def write():
    rgb = picture()
    image = Image.fromarray(rgb)
    alpha = np.linspace(0, 255, W * H).reshape(H, W).astype(np.uint8)
    rgba = Image.fromarray(np.dstack([rgb, alpha]))
    image.save(HERE / "plain.jpg", quality=90)
    image.save(HERE / "full_colour.jpg", quality=95, subsampling=0)
    image.save(HERE / "progressive.jpg", quality=90, progressive=True)
    image.save(HERE / "restarts.jpg", quality=90, restart_marker_blocks=1)
    image.convert("L").save(HERE / "grey.jpg", quality=90)
    # Ink that black alone would not give.
    cmyk = np.dstack([255 - rgb, alpha // 2])
    Image.fromarray(cmyk, "CMYK").save(HERE / "cmyk.jpg", quality=95)
    for i in range(1, 9):
        exif = Image.Exif()
        exif[0x0112] = i
        image.save(HERE / f"exif{i}.jpg", quality=90, exif=exif)
    image.convert("L").save(HERE / "grey.png")
    image.convert("1").save(HERE / "bilevel.png")
    image.convert("LA").save(HERE / "grey_alpha.png")
    rgba.save(HERE / "alpha.png")
    image.quantize(13).save(HERE / "palette.png")
    image.quantize(13).save(HERE / "palette_clear.png", transparency=3)
    deep = (rgb.astype(np.uint32) * 257 + 100).clip(0, 65535).astype(">u2")
    files = {
        "deep.png": png(plain_rows(deep), 16, 2),
        "deep_grey.png": png(plain_rows(deep[..., 0]), 16, 0),
        "interlaced.png": png(interlaced_rows(rgb), 8, 2, interlace=1),
        # Texts, a profile and a time between header and pixels.
        "chatty.png": png(plain_rows(rgb), 8, 2, extra=chunk(b"tEXt", b"k\0v")
                          + chunk(b"iCCP", b"x\0\0" + zlib.compress(bytes(1000)))
                          + chunk(b"tIME", bytes(7))),
    }
    for name, data in files.items():
        (HERE / name).write_bytes(data)


def decode():
    for path in sorted([*HERE.glob("*.jpg"), *HERE.glob("*.png")]):
        image = Image.open(path)
        if image.mode.startswith("I;16"):
            # Pillow clips on conversion; the upper byte is what it makes of RGB.
            image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
        image = ImageOps.exif_transpose(image).convert("RGB")
        image.save(path.with_suffix(path.suffix + ".ppm"))


if __name__ == "__main__":
    write()
    decode()
