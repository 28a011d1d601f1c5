"""Single operators: the cases of the fixture `ops`."""

from dataclasses import dataclass, field
from typing import Callable

import torch
import torch.nn.functional as F

import formula

GAIN = 3


@dataclass
class Case:
    """`call(tensors)` maps named leaves to the operator's output."""

    name: str
    shapes: dict
    call: Callable
    options: dict = field(default_factory=dict)
    buffers: tuple = ()
    scalar: bool = False

    @property
    def description(self):
        return {"shapes": {k: list(v) for k, v in self.shapes.items()}} | self.options

    def run(self, precision):
        leaves = {}
        for name, shape in self.shapes.items():
            if name == "input":
                leaves[name] = precision.image(formula.signed(name, shape))
            else:
                leaf = precision.tensor(formula.parameter(name, shape, GAIN))
                leaves[name] = leaf.requires_grad_(name not in self.buffers)
        y = self.call(leaves)
        if self.scalar:
            loss = y
        else:
            loss = (y * precision.tensor(formula.signed("probe", y.shape))).sum()
        loss.backward()
        found = {"output": y, "loss": loss}
        found |= {"grad/" + n: t.grad for n, t in leaves.items() if n not in self.buffers}
        found |= {"buffer/" + n: leaves[n] for n in self.buffers}
        return {n: t.detach().numpy().copy() for n, t in found.items()}


def conv(name, x, w, bias=True, **options):
    shapes = {"input": x, "weight": w} | ({"bias": w[:1]} if bias else {})
    call = lambda t: F.conv2d(t["input"], t["weight"], t.get("bias"), **options)
    return Case(name, shapes, call, options)


def max_pool(name, x, kernel, stride, padding, ceil_mode):
    options = dict(kernel_size=kernel, stride=stride, padding=padding, ceil_mode=ceil_mode)
    return Case(name, {"input": x}, lambda t: F.max_pool2d(t["input"], **options), options)


def avg_pool(name, x, kernel, stride, padding, **options):
    options |= dict(kernel_size=kernel, stride=stride, padding=padding)
    return Case(name, {"input": x}, lambda t: F.avg_pool2d(t["input"], **options), options)


def adaptive(name, x, size):
    call = lambda t: F.adaptive_avg_pool2d(t["input"], size)
    return Case(name, {"input": x}, call, {"output_size": size})


def lrn(name, x, **options):
    return Case(name, {"input": x}, lambda t: F.local_response_norm(t["input"], **options), options)


def batch_norm(name, x, training):
    options = dict(eps=1e-3, momentum=0.1, training=training)
    statistics = ("running_mean", "running_var")
    shapes = {"input": x} | {n: x[1:2] for n in statistics + ("weight", "bias")}
    call = lambda t: F.batch_norm(
        t["input"], t["running_mean"], t["running_var"], t["weight"], t["bias"], **options
    )
    return Case(name, shapes, call, options, buffers=statistics)


def cross_entropy(name, x, smoothing):
    target = torch.from_numpy(formula.labels(x[0], x[1]))
    call = lambda t: F.cross_entropy(t["input"], target, label_smoothing=smoothing)
    return Case(name, {"input": x}, call, {"label_smoothing": smoothing}, scalar=True)


def ops():
    """Every case, in the order of the fixture."""
    return [
        conv("conv2d_1x1", (2, 7, 5, 6), (9, 7, 1, 1), bias=False),
        conv("conv2d_3x3_pad1", (3, 8, 9, 7), (17, 8, 3, 3), padding=1),
        conv("conv2d_5x5_pad2", (2, 4, 8, 9), (6, 4, 5, 5), padding=2),
        conv("conv2d_stride2", (2, 5, 9, 10), (7, 5, 3, 3), stride=2, padding=1),
        conv("conv2d_7x7_stride2", (2, 3, 15, 17), (8, 3, 7, 7), stride=2, padding=3),
        conv("conv2d_1x7", (2, 6, 8, 9), (5, 6, 1, 7), padding=[0, 3]),
        conv("conv2d_7x1", (2, 6, 8, 9), (5, 6, 7, 1), padding=[3, 0]),
        conv("conv2d_dilation2", (2, 4, 11, 10), (6, 4, 3, 3), dilation=2, padding=2),
        max_pool("max_pool_ceil_pad0", (2, 5, 14, 13), 3, 2, 0, True),
        max_pool("max_pool_ceil_pad1", (2, 5, 14, 13), 3, 2, 1, True),
        # The last window would start in the padding, and is dropped.
        max_pool("max_pool_ceil_dropped", (2, 5, 5, 7), 2, 2, 1, True),
        max_pool("max_pool_stride1_pad1", (2, 5, 9, 8), 3, 1, 1, False),
        avg_pool("avg_pool_with_padding", (2, 5, 9, 8), 3, 1, 1, count_include_pad=True),
        avg_pool("avg_pool_without_padding", (2, 5, 9, 8), 3, 1, 1, count_include_pad=False),
        avg_pool("avg_pool_5_stride3", (2, 5, 14, 14), 5, 3, 0),
        adaptive("adaptive_avg_pool_14_to_4", (2, 5, 14, 14), [4, 4]),
        adaptive("adaptive_avg_pool_7x9_to_4", (2, 5, 7, 9), [4, 4]),
        adaptive("adaptive_avg_pool_to_1", (2, 5, 7, 9), [1, 1]),
        lrn("lrn", (2, 11, 6, 5), size=5, alpha=1e-4, beta=0.75, k=1.0),
        # An alpha that makes the normalisation visible.
        lrn("lrn_strong", (2, 11, 6, 5), size=5, alpha=2.0, beta=0.75, k=1.0),
        lrn("lrn_few_channels", (2, 3, 6, 5), size=5, alpha=2.0, beta=0.75, k=2.0),
        batch_norm("batch_norm_train", (3, 6, 5, 4), True),
        batch_norm("batch_norm_eval", (3, 6, 5, 4), False),
        Case(
            "linear",
            {"input": (4, 37), "weight": (11, 37), "bias": (11,)},
            lambda t: F.linear(t["input"], t["weight"], t["bias"]),
        ),
        Case("relu", {"input": (2, 5, 6, 7)}, lambda t: F.relu(t["input"])),
        cross_entropy("cross_entropy", (5, 13), 0.0),
        cross_entropy("cross_entropy_smoothed", (5, 13), 0.1),
    ]
