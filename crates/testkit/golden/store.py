"""Collects a fixture's tensors, measures f32 against f64, and writes the file."""

import contextlib
import json
import struct

import numpy as np
import torch

import formula

# A tensor above this many elements is stored as f32: rounding costs 6e-8, half the bytes.
F64_LIMIT = 4096


def deviation(a32, a64):
    """(max |a32 - a64| / max |a64|, |a32 - a64|_2 / |a64|_2)."""
    error = np.asarray(a32, dtype=np.float64) - a64
    largest = np.abs(error).max() / (np.abs(a64).max() or 1.0)
    return float(largest), float(np.linalg.norm(error) / (np.linalg.norm(a64) or 1.0))


class Precision:
    """How a run computes: its element type, its kernels, and a nudge of its input.

    Two correct f32 programs differ by their rounding. Where a unit lies that close to
    ReLU's zero, or two candidates of a max pool to each other, one takes the other side,
    and gradients differ far above rounding; so several f32 runs measure the deviation.
    """

    def __init__(self, dtype, onednn=True, nudge=0.0):
        self.dtype, self.onednn, self.nudge = dtype, onednn, nudge

    def kernels(self):
        if self.onednn:
            return contextlib.nullcontext()
        return torch.backends.mkldnn.flags(enabled=False)

    def tensor(self, array):
        """A leaf with the numbers of an f32 array."""
        return torch.from_numpy(array).to(self.dtype)

    def image(self, array):
        """The same for an input, which receives a gradient and the nudge."""
        return (self.tensor(array) * (1 + self.nudge)).requires_grad_()


F64 = Precision(torch.float64)
F32 = [
    Precision(torch.float32),
    Precision(torch.float32, onednn=False),
    Precision(torch.float32, nudge=2.0**-23),
]

class Fixture:
    """One file: tensors by name, plus string metadata."""

    def __init__(self, name, full_limit, **metadata):
        self.name, self.full_limit = name, full_limit
        self.tensors, self.shapes, self.deviations = {}, {}, {}
        self.metadata = {k: v if isinstance(v, str) else json.dumps(v) for k, v in metadata.items()}

    def add(self, name, a64, several32):
        """Stores `a64`; of a large gradient or buffer its samples and statistics."""
        a64 = np.asarray(a64, dtype=np.float64)
        if not np.isfinite(a64).all():
            raise ValueError(f"{self.name}: {name} is not finite")
        self.deviations[name] = tuple(map(max, zip(*(deviation(a, a64) for a in several32))))
        whole = "grad/" not in name and "buffer/" not in name
        if whole or a64.size <= self.full_limit:
            self.tensors[name] = a64 if a64.size <= F64_LIMIT else a64.astype(np.float32)
            return
        flat = a64.ravel()
        where = formula.positions(name.rsplit("/", 1)[-1], a64.size)
        self.shapes[name] = list(a64.shape)
        self.tensors[name + "#samples"] = flat[where]
        self.tensors[name + "#stats"] = np.array(
            [np.sqrt((flat**2).sum()), flat.sum(), np.abs(flat).max()]
        )

    def add_run(self, prefix, run):
        """Stores what `run(precision)` returns in f64, measured against its f32 twins."""
        exact, *rounded = [self._run(run, precision) for precision in [F64, *F32]]
        for name, value in exact.items():
            self.add(prefix + name, value, [r[name] for r in rounded])

    @staticmethod
    def _run(run, precision):
        with precision.kernels():
            return run(precision)

    def summary(self):
        """The f32 deviation of each group of tensors: the worst, where, and the median."""
        groups = {}
        for name, value in self.deviations.items():
            prefix, _, last = name.rpartition("/")
            key = f"{prefix}/*" if prefix.endswith(("grad", "buffer")) else name
            groups.setdefault(key, []).append((*value, last))
        three = lambda x: float(f"{x:.3g}")
        return {
            key: {
                "largest": three(max(found)[0]),
                "at": max(found)[2],
                "l2": three(max(f[1] for f in found)),
                "median_l2": three(np.median([f[1] for f in found])),
            }
            for key, found in sorted(groups.items())
        }

    def write(self, folder):
        """Writes `name.safetensors` with sorted keys, so that equal content is equal bytes."""
        import torchvision

        metadata = self.metadata | {
            "generator": "crates/testkit/golden/make_golden.py",
            "torch": torch.__version__.split("+")[0],
            "torchvision": torchvision.__version__.split("+")[0],
            "seed": str(formula.SEED),
            "shapes": json.dumps(self.shapes, sort_keys=True),
            "f32_deviation": json.dumps(self.summary(), sort_keys=True),
        }
        header, body = {"__metadata__": dict(sorted(metadata.items()))}, []
        # f64 first keeps every tensor aligned to its element.
        order = sorted(self.tensors.items(), key=lambda kv: (-kv[1].itemsize, kv[0]))
        offset = 0
        for name, value in order:
            dtype = {4: "F32", 8: "F64"}[value.itemsize]
            span = [offset, offset + value.nbytes]
            header[name] = {"dtype": dtype, "shape": list(value.shape), "data_offsets": span}
            body.append(value.astype(value.dtype.newbyteorder("<")).tobytes())
            offset = span[1]
        text = json.dumps(header, separators=(",", ":")).encode()
        text += b" " * (-len(text) % 8)
        path = folder / f"{self.name}.safetensors"
        path.write_bytes(struct.pack("<Q", len(text)) + text + b"".join(body))
        print(f"{path.name}: {path.stat().st_size} bytes, {len(order)} tensors")
        for group, worst in self.summary().items():
            print(f"    {group:38} f32 deviates by {worst['largest']:.1e} ({worst['at']}),"
                  f" L2 {worst['l2']:.1e}, median L2 {worst['median_l2']:.1e}")
