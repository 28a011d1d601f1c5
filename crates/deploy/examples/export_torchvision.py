"""Exports torchvision's GoogLeNet and Inception v3, with random weights, by both exporters.

    python export_torchvision.py DIR     # torch 2.15, torchvision, onnxscript

With and without `transform_input`, whose reordered channels the graph then contains.
"""

import os
import sys

import torch
import torchvision

os.makedirs(sys.argv[1], exist_ok=True)
os.chdir(sys.argv[1])
torch.manual_seed(0)
for name, side in (("googlenet", 224), ("inception_v3", 299)):
    net = getattr(torchvision.models, name)(weights=None, aux_logits=True, init_weights=False).eval()
    for key, value in net.state_dict().items():
        if key.endswith("running_var"):
            value.uniform_(0.5, 1.5)
        elif key.endswith("running_mean"):
            value.normal_(0, 0.1)
    torch.save(net.state_dict(), f"{name}.pth")
    torch.save(net.state_dict(), f"{name}_legacy.pth", _use_new_zipfile_serialization=False)
    images = torch.randn(2, 3, side, side)
    for transformed in (False, True):
        net.transform_input = transformed
        suffix = "_transform" if transformed else ""
        torch.onnx.export(net, (images,), f"{name}{suffix}_new.onnx", dynamo=True, external_data=False)
        torch.onnx.export(
            net, (images,), f"{name}{suffix}_old.onnx", dynamo=False,
            input_names=["images"], dynamic_axes={"images": {0: "batch"}},
        )
        # Below version 11, paddings of averages are nodes of their own.
        torch.onnx.export(
            net, (images,), f"{name}{suffix}_9.onnx", dynamo=False, opset_version=9,
            input_names=["images"], dynamic_axes={"images": {0: "batch"}},
        )
