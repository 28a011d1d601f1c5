#!/usr/bin/env python3
"""Writes the state-dict keys and shapes of PyTorch's modules into text files beside this script.

    python3 crates/nn/tests/keys/make_keys.py
"""

import pathlib
import sys

import timm
import torchvision

FOLDER = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(FOLDER.parents[2] / "testkit" / "golden"))
import models  # noqa: E402

MODELS = {
    "googlenet-torchvision": torchvision.models.googlenet(
        weights=None, aux_logits=True, init_weights=False
    ),
    "inception-v3": torchvision.models.inception_v3(weights=None, init_weights=False),
    "inception-v4": timm.create_model("inception_v4"),
    "inception-resnet-v2": timm.create_model("inception_resnet_v2"),
    "alexnet": torchvision.models.alexnet(weights=None),
    "vgg16": torchvision.models.vgg16(weights=None),
    "googlenet": models.PaperGoogLeNet(1000),
    "simple-inception": models.SimpleInception(10, 32),
}

for name, model in MODELS.items():
    lines = [
        f"{key} {list(value.shape)}\n"
        for key, value in model.state_dict().items()
        if not key.endswith("num_batches_tracked")
    ]
    (FOLDER / f"{name}.txt").write_text("".join(lines))
