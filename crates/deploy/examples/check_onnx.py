"""Checks what `onnx_oracle DIR` wrote, with onnx's checker and ONNX Runtime.

    python check_onnx.py DIR       # onnx, onnxruntime, safetensors

Every file has to pass the full check, and to agree with our logits to 1e-4 of the largest at
batch 1 and batch 5; ends with status 1 where one does not.
"""

import glob
import os
import sys

import numpy as np
import onnx
import onnxruntime
from safetensors.numpy import load_file

failed = 0
for file in sorted(glob.glob(os.path.join(sys.argv[1], "*.onnx"))):
    onnx.checker.check_model(file, full_check=True)
    name = os.path.basename(file)[:-5]
    model = name.removesuffix("-folded").removesuffix("-pixels")
    io = load_file(os.path.join(sys.argv[1], model + ".safetensors"))
    pixels = name.endswith("-pixels")
    images = io["pixels_nhwc" if pixels else "images_nhwc"].astype(np.float32).transpose(0, 3, 1, 2)
    expected = io["logits"].astype(np.float64)
    if pixels:
        expected = np.exp(expected - expected.max(1, keepdims=True))
        expected /= expected.sum(1, keepdims=True)
    session = onnxruntime.InferenceSession(file)
    source = session.get_inputs()[0].name
    worst = 0.0
    for batch in (1, 5):
        (found,) = session.run(None, {source: np.ascontiguousarray(images[:batch])})
        assert found.shape == expected[:batch].shape, (file, found.shape)
        worst = max(worst, np.abs(found - expected[:batch]).max() / np.abs(expected).max())
    failed += worst > 1e-4
    print(f"{name}: {worst:.1e}{'  TOO LARGE' if worst > 1e-4 else ''}", flush=True)
sys.exit(1 if failed else 0)
