"""Runs ONNX files of classifiers with `inception predict` and with ONNX Runtime, on one input.

    python compare_onnx.py FILE...     # numpy, onnxruntime, pillow; INCEPTION names the binary

Prints the largest difference over the largest output for two random pictures. Where a graph
ends in probabilities, probabilities are compared.
"""

import json
import os
import subprocess
import sys
import tempfile

import numpy as np
import onnxruntime
from PIL import Image

BINARY = os.environ.get("INCEPTION", "target/release/inception")
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def ours(file, pictures):
    flags = ["--mean", ",".join(map(str, MEAN)), "--std", ",".join(map(str, STD))]
    command = [BINARY, "predict", "--weights", file, "--no-resize", "--logits", "--json", *flags, *pictures]
    output = subprocess.run(command, capture_output=True, text=True)
    if output.returncode:
        return None, output.stderr.strip()
    return np.array([json.loads(line)["logits"] for line in output.stdout.splitlines()]), ""


def theirs(session, images):
    source = session.get_inputs()[0]
    if source.shape[0] == 1:
        return np.concatenate([session.run(None, {source.name: images[i : i + 1]})[0] for i in range(2)])
    return session.run(None, {source.name: images})[0]


for file in sys.argv[1:]:
    session = onnxruntime.InferenceSession(file)
    side = session.get_inputs()[0].shape[2]
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        pictures = [os.path.join(folder, f"{i}.png") for i in range(2)]
        pixels = rng.integers(0, 256, (2, side, side, 3), dtype=np.uint8)
        for picture, numbers in zip(pictures, pixels):
            Image.fromarray(numbers).save(picture)
        logits, error = ours(file, pictures)
    if logits is None:
        print(f"{os.path.basename(file)}: refused: {error}")
        continue
    mean, std = (np.array(x, dtype=np.float32).reshape(1, 3, 1, 1) for x in (MEAN, STD))
    expected = theirs(session, (pixels.astype(np.float32).transpose(0, 3, 1, 2) / 255 - mean) / std)
    expected = expected.reshape(2, -1)
    if (expected >= 0).all() and np.allclose(expected.sum(1), 1, atol=1e-3):
        logits = np.exp(logits - logits.max(1, keepdims=True))
        logits /= logits.sum(1, keepdims=True)
    worst = np.abs(expected - logits).max() / np.abs(expected).max()
    print(f"{os.path.basename(file)}: {worst:.1e}", flush=True)
