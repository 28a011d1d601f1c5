#!/usr/bin/env python3
"""Writes the golden fixtures `*.safetensors` beside this script from PyTorch.

    python3 crates/testkit/golden/make_golden.py [NAME ...]

Weights and inputs are not stored: `formula.py` says how both sides compute them. Every
result is computed in f64; the same run in f32, three times with different rounding, gives
the deviation that a tolerance has to allow, kept in the metadata under `f32_deviation`.

Tensor names: `output`, `logits`, `loss...`, `grad/KEY` for the gradient of the parameter
KEY (or of `input`), `buffer/KEY` for a running statistic after one training forward pass,
`curve` for the losses of ten SGD steps on one batch, each before its step. A tensor too
large for the fixture is `NAME#samples` (32 elements at `formula.positions(KEY, numel)`,
KEY being the name after its last slash) and `NAME#stats` (L2 norm, sum, largest absolute
value); its shape stands in the metadata under `shapes`. All layouts are PyTorch's.
"""

import json
import pathlib
import sys

import numpy as np
import torch
import torch.nn.functional as F
import timm
import torchvision
from torch import nn
from torchvision.models.googlenet import Inception, InceptionAux

import formula
import models
from ops import ops
from store import Fixture

FOLDER = pathlib.Path(__file__).resolve().parent


def load(model, gain, precision):
    """Fills `model` from the formula; dropout is switched off."""
    values = model.state_dict()
    for name, value in values.items():
        if not name.endswith("num_batches_tracked"):
            values[name] = torch.from_numpy(formula.parameter(name, tuple(value.shape), gain))
    model.load_state_dict(values)
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    return model.to(precision.dtype)


def image(shape, precision):
    return precision.image(formula.signed("input", shape))


def array(tensor):
    return tensor.detach().numpy().copy()


def gradients(model, x):
    found = {"grad/input": array(x.grad)}
    for name, p in model.named_parameters():
        found["grad/" + name] = array(p.grad)
    return found


def buffers(model):
    return {
        "buffer/" + name: array(b)
        for name, b in model.named_buffers()
        if not name.endswith("num_batches_tracked")
    }


def curve(model, x, loss, lr):
    """Losses before each of ten steps of SGD with momentum 0.9, no weight decay."""
    optimizer = torch.optim.SGD(model.parameters(), lr=lr, momentum=0.9)
    losses = []
    for _ in range(10):
        optimizer.zero_grad()
        value = loss(model(x))
        value.backward()
        optimizer.step()
        losses.append(value.item())
    return np.array(losses)


def inception_module():
    widths, shape = (48, 16, 24, 32, 4, 8, 8), (3, 48, 9, 9)
    fixture = Fixture(
        "inception_module", 16384, weight_gain=6, input_shape=shape, widths=widths,
        cases="plain (5x5 branch, no BN), bn_train, bn_eval (3x3 branch, BN eps 1e-3)",
    )

    def run(build, mode):
        def at_precision(precision):
            model = load(build(), 6, precision).train(mode == "train")
            x = image(shape, precision)
            y = model(x)
            loss = (y * precision.tensor(formula.signed("probe", y.shape))).sum()
            loss.backward()
            found = {"output": array(y), "loss": array(loss)} | gradients(model, x)
            return found | (buffers(model) if mode == "train" else {})

        return at_precision

    fixture.add_run("plain/", run(lambda: models.PaperInception(*widths), "eval"))
    fixture.add_run("bn_train/", run(lambda: Inception(*widths), "train"))
    fixture.add_run("bn_eval/", run(lambda: Inception(*widths), "eval"))
    return fixture


def inception_aux():
    shape, classes = (2, 64, 14, 14), 7
    fixture = Fixture("inception_aux", 8192, weight_gain=6, input_shape=shape, classes=classes)
    target = torch.from_numpy(formula.labels(shape[0], classes))

    def run(precision):
        model = load(InceptionAux(shape[1], classes), 6, precision).train()
        x = image(shape, precision)
        y = model(x)
        loss = F.cross_entropy(y, target)
        loss.backward()
        return {"output": array(y), "loss": array(loss)} | gradients(model, x) | buffers(model)

    fixture.add_run("", run)
    return fixture


def simple_inception(lr=5e-6):
    shape, classes = (4, 3, 32, 32), 10
    fixture = Fixture(
        "simple_inception", 8192, weight_gain=3, input_shape=shape, classes=classes, lr=lr,
        momentum=0.9, steps=10,
        architecture="conv1 3->64 3x3 pad 1; inception1 1x1 64, 1x1 64 -> 3x3 128, "
        "1x1 64 -> 5x5 128, max pool 3/1 pad 1 -> 1x1 32; flatten; fc 360448 -> 10; all biased",
    )
    target = torch.from_numpy(formula.labels(shape[0], classes))
    loss_of = lambda y: F.cross_entropy(y, target)

    def run(precision):
        model, x = load(models.SimpleInception(classes, shape[2]), 3, precision), image(shape, precision)
        y = model(x)
        loss = loss_of(y)
        loss.backward()
        found = {"logits": array(y), "loss": array(loss)} | gradients(model, x)
        return found | {"curve": curve(model, x.detach(), loss_of, lr)}

    fixture.add_run("", run)
    return fixture


def three_losses(target):
    """Main, aux1, aux2 and their weighted total, for (logits, aux1, aux2)."""

    def of(main, aux1, aux2):
        parts = [F.cross_entropy(y, target) for y in (main, aux1, aux2)]
        return parts + [parts[0] + 0.3 * (parts[1] + parts[2])]

    return of


LOSSES = ("loss_main", "loss_aux1", "loss_aux2", "loss_total")


def googlenet_torchvision(lr=3e-6):
    eval_shape, train_shape, classes = (2, 3, 224, 224), (4, 3, 96, 96), 1000
    fixture = Fixture(
        "googlenet_torchvision", 256, weight_gain=6, eval_input_shape=eval_shape,
        train_input_shape=train_shape, classes=classes, lr=lr, momentum=0.9, steps=10,
        curve_loss="loss_total", loss_total="main + 0.3 (aux1 + aux2)", dropout=0,
    )
    losses = three_losses(torch.from_numpy(formula.labels(train_shape[0], classes)))

    def build(precision):
        model = torchvision.models.googlenet(
            weights=None, aux_logits=True, transform_input=False, init_weights=False
        )
        return load(model, 6, precision)

    def evaluate(precision):
        with torch.no_grad():
            return {"logits": array(build(precision).eval()(image(eval_shape, precision)))}

    def train(precision):
        model, x = build(precision).train(), image(train_shape, precision)
        y = model(x)
        parts = losses(y.logits, y.aux_logits1, y.aux_logits2)
        parts[3].backward()
        found = {"logits": array(y.logits), "aux1": array(y.aux_logits1), "aux2": array(y.aux_logits2)}
        found |= {name: array(loss) for name, loss in zip(LOSSES, parts)}
        found |= gradients(model, x) | buffers(model)
        total = lambda y: losses(y.logits, y.aux_logits1, y.aux_logits2)[3]
        return found | {"curve": curve(build(precision).train(), x.detach(), total, lr)}

    fixture.add_run("eval/", evaluate)
    fixture.add_run("train/", train)
    return fixture


def googlenet_paper():
    shape, classes = (2, 3, 224, 224), 100
    fixture = Fixture(
        "googlenet_paper", 256, weight_gain=6, input_shape=shape, classes=classes,
        loss_total="main + 0.3 (aux1 + aux2)", dropout=0,
        lrn="size 5, alpha 1e-4 divided by size, beta 0.75, k 1, after maxpool1 and after conv3",
        pools="3x3/2 ceil, four of them; auxiliary heads average 5x5/3 after 4a and 4d",
    )
    losses = three_losses(torch.from_numpy(formula.labels(shape[0], classes)))

    def run(precision):
        model, x = load(models.PaperGoogLeNet(classes), 6, precision), image(shape, precision)
        y = model(x)
        parts = losses(*y)
        parts[3].backward()
        found = {name: array(value) for name, value in zip(("logits", "aux1", "aux2"), y)}
        found |= {name: array(loss) for name, loss in zip(LOSSES, parts)}
        return found | gradients(model, x)

    fixture.add_run("", run)
    return fixture


# What each network of the family is built by, and the sizes that it is run at: its own, and
# another that it allows.
FAMILY = {
    "googlenet": (
        lambda **options: torchvision.models.googlenet(weights=None, init_weights=False, **options),
        (224, 128),
    ),
    "inception_v3": (
        lambda **options: torchvision.models.inception_v3(
            weights=None, init_weights=False, **options
        ),
        (299, 139),
    ),
    "inception_v4": (lambda **options: timm.create_model("inception_v4", **options), (299, 139)),
    "inception_resnet_v2": (
        lambda **options: timm.create_model("inception_resnet_v2", **options),
        (299, 139),
    ),
}


def family():
    """Logits of three images, each network at two sizes; at the second with torchvision's
    `transform_input` as well."""
    images, classes = 3, 100
    fixture = Fixture(
        "family", 256, weight_gain=6, images=images, classes=classes,
        cases="NETWORK/SIDE, and NETWORK/SIDE/transform_input",
    )

    def evaluate(build, side, **options):
        def run(precision):
            model = load(build(num_classes=classes, **options), 6, precision).eval()
            with torch.no_grad():
                return {"logits": array(model(image((images, 3, side, side), precision)))}

        return run

    for name, (build, sides) in FAMILY.items():
        for side in sides:
            fixture.add_run(f"{name}/{side}/", evaluate(build, side))
        if name in ("googlenet", "inception_v3"):
            prefix = f"{name}/{sides[1]}/transform_input/"
            fixture.add_run(prefix, evaluate(build, sides[1], transform_input=True))
    return fixture


def inception_v3():
    """One training step with the auxiliary head, whose smallest image is the usual one."""
    shape, classes = (2, 3, 299, 299), 100
    fixture = Fixture(
        "inception_v3", 16, weight_gain=6, input_shape=shape, classes=classes,
        loss_total="main + 0.4 aux1", dropout=0,
    )
    target = torch.from_numpy(formula.labels(shape[0], classes))

    def run(precision):
        model = FAMILY["inception_v3"][0](num_classes=classes)
        model, x = load(model, 6, precision).train(), image(shape, precision)
        y = model(x)
        main, aux = F.cross_entropy(y.logits, target), F.cross_entropy(y.aux_logits, target)
        total = main + 0.4 * aux
        total.backward()
        found = {"logits": array(y.logits), "aux1": array(y.aux_logits)}
        found |= {"loss_main": array(main), "loss_aux1": array(aux), "loss_total": array(total)}
        return found | gradients(model, x) | buffers(model)

    fixture.add_run("", run)
    return fixture


def operators():
    fixture = Fixture("ops", 16384, weight_gain=3, loss="sum(output * probe)")
    described = {}
    for case in ops():
        described[case.name] = case.description
        fixture.add_run(case.name + "/", case.run)
    fixture.metadata["cases"] = json.dumps(described, sort_keys=True)
    return fixture


CASES = {
    "ops": operators,
    "inception_module": inception_module,
    "inception_aux": inception_aux,
    "simple_inception": simple_inception,
    "googlenet_torchvision": googlenet_torchvision,
    "googlenet_paper": googlenet_paper,
    "family": family,
    "inception_v3": inception_v3,
}


def main(names):
    torch.set_num_threads(1)
    for name in names or CASES:
        fixture = CASES[name]()
        fixture.write(FOLDER)
        for key in fixture.tensors:
            if key.endswith("curve"):
                print("    " + key, " ".join(f"{x:.6f}" for x in fixture.tensors[key]))


if __name__ == "__main__":
    main(sys.argv[1:])
