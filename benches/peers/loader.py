"""Images a second from JPEG files to normalised 224-pixel inputs: ours beside Pillow's and
torchvision's pipelines.

    python3 benches/peers/loader.py PHOTO... [--workers N]

Needs `torch`, `torchvision`, `pillow` and `numpy`, and `cargo` for ours. Of the photographs, 400
JPEGs of ImageNet's usual size (500 x 375, quality 90) are cut at random. All pipelines decode,
take a random part of 8-100 % of the area, resize it to 224 x 224 (bilinear, antialiased), mirror
half the time and normalise. Every figure is the median of five rounds of two seconds; the share
is that of decoding and resizing alone on one core, by our decoder, times the workers.
"""

import argparse
import io
import random
import re
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
import torchvision
from PIL import Image
from torchvision import io as tvio
from torchvision.transforms import v2

ROUNDS, SECONDS, FILES = 5, 2.0, 400
MEAN, STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]


def cut(photos, root):
    """Random parts of the photographs, as two classes."""
    random.seed(0)
    images = [Image.open(p).convert("RGB") for p in photos]
    paths = []
    for i in range(FILES):
        image = images[i % len(images)]
        width = random.randint(min(400, image.width), min(1000, image.width))
        height = min(width * 3 // 4, image.height)
        left = random.randint(0, image.width - width)
        top = random.randint(0, image.height - height)
        part = image.crop((left, top, left + width, top + height)).resize((500, 375))
        for split in ["train", "val"]:
            path = root / split / "ab"[i % 2] / f"{i:03}.jpg"
            path.parent.mkdir(parents=True, exist_ok=True)
            if split == "train" or i < 4:
                part.save(path, quality=90)
        paths.append(root / "train" / "ab"[i % 2] / f"{i:03}.jpg")
    return paths


class WithPillow:
    """torchvision's classification reference: Pillow decodes and resizes."""

    def __init__(self):
        self.transform = v2.Compose([
            v2.RandomResizedCrop(224), v2.RandomHorizontalFlip(), v2.PILToTensor(),
            v2.ToDtype(torch.float32, scale=True), v2.Normalize(MEAN, STD)])

    def __call__(self, path):
        return self.transform(Image.open(io.BytesIO(path.read_bytes())).convert("RGB"))


class WithTensors:
    """torchvision's own decoder, and transforms on tensors."""

    def __init__(self):
        self.transform = v2.Compose([
            v2.RandomResizedCrop(224, antialias=True), v2.RandomHorizontalFlip(),
            v2.ToDtype(torch.float32, scale=True), v2.Normalize(MEAN, STD)])

    def __call__(self, path):
        data = torch.frombuffer(bytearray(path.read_bytes()), dtype=torch.uint8)
        return self.transform(tvio.decode_jpeg(data, mode=tvio.ImageReadMode.RGB))


def pillow_alone(path):
    """Pillow and numpy, no torch."""
    image = Image.open(io.BytesIO(path.read_bytes()))
    scale = random.uniform(0.08, 1.0) ** 0.5
    width, height = int(image.width * scale), int(image.height * scale)
    left, top = random.randint(0, image.width - width), random.randint(0, image.height - height)
    image = image.convert("RGB").resize(
        (224, 224), Image.BILINEAR, box=(left, top, left + width, top + height))
    array = np.asarray(image, dtype=np.float32)
    if random.random() < 0.5:
        array = array[:, ::-1]
    return (array / 255 - MEAN) / STD


class Files(torch.utils.data.Dataset):
    def __init__(self, paths, load):
        self.paths, self.load = paths, load

    def __len__(self):
        return 1 << 30

    def __getitem__(self, i):
        return self.load(self.paths[i * 7 % len(self.paths)])


def median(measure):
    return statistics.median(measure() for _ in range(ROUNDS))


def one_core(paths, load):
    def measure():
        start, n = time.perf_counter(), 0
        while time.perf_counter() - start < SECONDS:
            load(paths[n * 7 % len(paths)])
            n += 1
        return n / (time.perf_counter() - start)
    return median(measure)


def data_loader(paths, load, workers):
    def measure():
        loader = iter(torch.utils.data.DataLoader(
            Files(paths, load), batch_size=32, num_workers=workers))
        for _ in range(2 * workers + 2):
            next(loader)
        start, n = time.perf_counter(), 0
        while time.perf_counter() - start < SECONDS:
            n += len(next(loader))
        return n / (time.perf_counter() - start)
    return median(measure)


def ours(root, workers):
    """Names and images a second of the program's own lines."""
    command = ["cargo", "run", "--release", "--quiet", "-p", "inception-data",
               "--example", "loader_speed", "--", root, str(workers), str(SECONDS)]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    print(output)
    lines = re.findall(r"^(.+): ([\d.]+) images/s", output, re.MULTILINE)
    return [(name, float(speed)) for name, speed in lines]


def main(photos, workers):
    torch.set_num_threads(1)
    print(f"Pillow {Image.__version__}, torch {torch.__version__}, "
          f"torchvision {torchvision.__version__}\n")
    with tempfile.TemporaryDirectory() as root:
        paths = cut(photos, Path(root))
        rows = [(f"ours: {name}", speed) for name, speed in ours(root, workers)]
        limit = dict(rows)["ours: decode + resize, the limit"]
        for name, load in [("Pillow + numpy", pillow_alone),
                           ("Pillow + torchvision v2", WithPillow()),
                           ("torchvision decode_jpeg + v2 on tensors", WithTensors())]:
            rows.append((name, one_core(paths, load)))
            for n in range(1, workers + 1):
                rows.append((f"{name}, DataLoader, workers: {n}", data_loader(paths, load, n)))
        print("| pipeline | images/s | of the limit |\n|---|---|---|")
        for name, speed in rows:
            cores = int(name.rpartition("workers: ")[2]) if "workers: " in name else 1
            print(f"| {name} | {speed:.0f} | {100 * speed / limit / cores:.0f} % |")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("photos", nargs="+")
    parser.add_argument("--workers", type=int, default=1)
    args = parser.parse_args()
    main(args.photos, args.workers)
