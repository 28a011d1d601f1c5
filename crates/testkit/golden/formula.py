"""Weights, inputs, labels and sample positions as a function of a name.

Rust (`inception_testkit::formula`) and Python compute the same bits, so a fixture stores
results only. Everything is 64-bit wrapping integer arithmetic followed by at most one
rounding in f32:

    mix(z)        SplitMix64's output function
    fnv1a(bytes)  64-bit FNV-1a
    state(name)   h = PHI; for k in (SEED, fnv1a(name)): h = mix(h ^ mix(k + PHI))
    at(i)         mix(state + (i + 1) * PHI)
    u(i)          (at(i) >> 40) / 2^24          24 bits in [0, 1), exact in f32
    v(i)          2 u(i) - 1                    exact in f32

`i` counts elements in the row-major order of PyTorch's layout (NCHW, OIHW, [out, in]).

    input         v(i)                          stream "input"
    probe         v(i)                          stream "probe"
    labels        at(i) % classes               stream "labels"
    positions     at(j) % numel, j = 0 .. 31    stream "sample/" + name

A parameter or buffer draws from the stream of its state-dict key; its kind follows from
the key's last part and its rank:

    *.weight, rank >= 2   v(i) * f32(sqrt(gain / fan_in)), fan_in = product(shape[1:])
    *.weight, rank 1      1 + 0.25 v(i)         batch norm
    *.bias                0.1 v(i)              convolution, linear and batch norm
    *.running_mean        0.1 v(i)
    *.running_var         0.5 + u(i)

with constants rounded to f32 first and each operation rounded to f32. `gain` is 6 for
networks with ReLU, 3 for those without, unless the fixture's metadata says otherwise.
"""

import math

import numpy as np

SEED = 0
SAMPLES = 32
PHI = 0x9E3779B97F4A7C15
MASK = (1 << 64) - 1


def mix(z):
    """SplitMix64's output function of a Python integer."""
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
    return z ^ (z >> 31)


def fnv1a(text):
    """The 64-bit FNV-1a hash of a string's UTF-8 bytes."""
    value = 0xCBF29CE484222325
    for byte in text.encode():
        value = ((value ^ byte) * 0x100000001B3) & MASK
    return value


def state(name):
    """The state of the stream called `name`."""
    h = PHI
    for key in (SEED, fnv1a(name)):
        h = mix(h ^ mix((key + PHI) & MASK))
    return h


def at(name, count):
    """Elements 0 .. count of the stream called `name`, as u64."""
    z = np.arange(1, count + 1, dtype=np.uint64) * np.uint64(PHI) + np.uint64(state(name))
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


def uniform(name, shape):
    """Numbers in [0, 1), f32."""
    bits = (at(name, math.prod(shape)) >> np.uint64(40)).astype(np.float32)
    return (bits * np.float32(2.0**-24)).reshape(shape)


def signed(name, shape):
    """Numbers in [-1, 1), f32."""
    return np.float32(2) * uniform(name, shape) - np.float32(1)


def labels(count, classes):
    """Class numbers of `count` images."""
    return (at("labels", count) % np.uint64(classes)).astype(np.int64)


def positions(name, numel):
    """Which elements of the tensor `name` a fixture keeps when it cannot keep all."""
    return (at("sample/" + name, SAMPLES) % np.uint64(numel)).astype(np.int64)


def parameter(name, shape, gain):
    """The parameter or buffer with state-dict key `name`, f32."""
    last = name.rsplit(".", 1)[-1]
    if last == "running_var":
        return np.float32(0.5) + uniform(name, shape)
    v = signed(name, shape)
    if last == "weight" and len(shape) >= 2:
        return v * np.float32(math.sqrt(gain / math.prod(shape[1:])))
    if last == "weight":
        return np.float32(1) + np.float32(0.25) * v
    if last in ("bias", "running_mean"):
        return np.float32(0.1) * v
    raise ValueError(f"no formula for a parameter called {name}")


def print_known_answers():
    """The numbers that the Rust crate's unit tests repeat."""
    show = lambda values: [float(x) for x in np.asarray(values).ravel()]
    print("fnv1a(input)", hex(fnv1a("input")))
    print("at(input)", [hex(int(x)) for x in at("input", 3)])
    print("input", show(signed("input", (4,))))
    print("probe", show(signed("probe", (4,))))
    print("labels", labels(8, 7).tolist())
    print("positions", positions("fc.weight", 1000)[:8].tolist())
    for name, shape in [
        ("conv1.conv.weight", (2, 3, 1, 1)),
        ("fc.weight", (2, 3)),
        ("conv1.bn.weight", (3,)),
        ("fc.bias", (3,)),
        ("conv1.bn.running_mean", (3,)),
        ("conv1.bn.running_var", (3,)),
    ]:
        bits = parameter(name, shape, 6).ravel().view(np.uint32)
        print(name, shape, [hex(int(x)) for x in bits])


if __name__ == "__main__":
    print_known_answers()
