"""Other engines at the work that `inception bench` measures; one JSON object a run.

    python3 benches/peers/peers.py torch --layout channels_last --model googlenet-torchvision \
        --mode train --batch-size 32 --threads 2 --reps 5
    python3 benches/peers/peers.py export --model googlenet-torchvision --batch-size 16 \
        --out googlenet.onnx
    python3 benches/peers/peers.py quantise --file googlenet.onnx --out googlenet-int8.onnx
    python3 benches/peers/peers.py onnxruntime --file googlenet.onnx --batch-size 16
    python3 benches/peers/peers.py openvino --file googlenet.onnx --precision bf16

The fields are those of `inception bench --json`; `import_rss_bytes` is the memory that the
process had when its libraries were loaded and nothing else. Weights are random.
"""

import argparse
import json
import os
import statistics
import sys
import time


def memory(field):
    """Bytes of a field of /proc/self/status, or None where there is no such file."""
    try:
        with open("/proc/self/status", encoding="ascii") as file:
            line = next(line for line in file if line.startswith(field + ":"))
        return 1024 * int(line.split()[1])
    except OSError:
        return None


def measure(run, args, peer, import_rss):
    """Runs once to warm up, then `reps` times, and prints the figures."""
    times = []
    for rep in range(args.reps + 1):
        start = time.perf_counter()
        run()
        if rep:
            times.append(1e3 * (time.perf_counter() - start))
    median = statistics.median(times)
    report = {
        "peer": peer,
        "batch_size": args.batch_size,
        "threads": args.threads,
        "reps": args.reps,
        "median_ms": median,
        "min_ms": min(times),
        "images_per_s": 1e3 * args.batch_size / median,
        "peak_rss_bytes": memory("VmHWM"),
        "import_rss_bytes": import_rss,
    }
    print(json.dumps(report))


def run_torch(args):
    """Eager, channels last or compiled; bf16 by autocast."""
    import torch
    import torchvision  # noqa: F401 (part of what a program of torch loads)
    import models

    import_rss = memory("VmRSS")
    torch.set_num_threads(args.threads)
    train = args.mode == "train"
    model, shape, classes = models.build(args.model, train)
    layout = torch.contiguous_format if args.layout == "eager" else torch.channels_last
    model = model.to(memory_format=layout)
    images = torch.rand(args.batch_size, *shape).to(memory_format=layout)
    labels = torch.randint(0, classes, (args.batch_size,))
    bf16 = torch.autocast("cpu", torch.bfloat16, enabled=args.precision == "bf16")
    call = torch.compile(model) if args.layout == "compile" else model
    loss_of = torch.nn.CrossEntropyLoss()
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-6, momentum=0.9, weight_decay=1e-4)
    module_alone = args.model == "module-3a"
    images.requires_grad_(train and module_alone)

    def infer():
        with torch.inference_mode(), bf16:
            call(images)

    def step():
        model.zero_grad(set_to_none=True)
        images.grad = None
        with bf16:
            out = call(images)
            if hasattr(out, "aux_logits1"):
                loss = loss_of(out.logits, labels)
                heads = loss_of(out.aux_logits1, labels) + loss_of(out.aux_logits2, labels)
                loss = loss + 0.3 * heads
            elif hasattr(out, "aux_logits"):
                loss = loss_of(out.logits, labels) + 0.4 * loss_of(out.aux_logits, labels)
            else:
                loss = loss_of(out, labels)
        loss.backward()
        if not module_alone:
            optimizer.step()

    peer = f"torch {torch.__version__}"
    measure(step if train else infer, args, peer, import_rss)


def run_export(args):
    """Writes a network as ONNX."""
    import torch
    import models

    model, shape, _ = models.build(args.model, False)
    # Statistics of their own, so that every normalisation has something to do.
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_var.uniform_(0.5, 1.5)
    images = torch.rand(args.batch_size, *shape)
    torch.onnx.export(
        model, (images,), args.out, input_names=["images"], output_names=["out"],
        opset_version=18, dynamo=True, external_data=False, verbose=False,
    )


def run_quantise(args):
    """Quantises `file` by ONNX Runtime: static, per channel, with random images."""
    import numpy
    import onnxruntime
    from onnxruntime.quantization import (
        CalibrationDataReader, QuantFormat, QuantType, quantize_static,
    )
    from onnxruntime.quantization.shape_inference import quant_pre_process

    prepared = args.out + ".prepared"
    quant_pre_process(args.file, prepared, skip_symbolic_shape=True)
    shape = onnxruntime.InferenceSession(args.file).get_inputs()[0].shape

    class Images(CalibrationDataReader):
        def __init__(self):
            self.seeds = iter(range(2))

        def get_next(self):
            for seed in self.seeds:
                random = numpy.random.default_rng(seed)
                return {"images": random.random(shape, dtype=numpy.float32)}
            return None

    quantize_static(
        prepared, args.out, Images(), quant_format=QuantFormat.QDQ, per_channel=True,
        activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8,
    )
    os.remove(prepared)


def run_onnxruntime(args):
    """The CPU provider, all graph optimisations."""
    import numpy
    import onnxruntime

    import_rss = memory("VmRSS")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = args.threads
    options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        args.file, options, providers=["CPUExecutionProvider"]
    )
    shape = session.get_inputs()[0].shape
    images = numpy.random.default_rng(0).random(shape, dtype=numpy.float32)
    peer = f"ONNX Runtime {onnxruntime.__version__}"
    measure(lambda: session.run(None, {"images": images}), args, peer, import_rss)


def run_openvino(args):
    """Latency hint, precision as asked for."""
    import numpy
    import openvino

    import_rss = memory("VmRSS")
    core = openvino.Core()
    compiled = core.compile_model(
        core.read_model(args.file),
        "CPU",
        {
            "INFERENCE_NUM_THREADS": args.threads,
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_PRECISION_HINT": "bf16" if args.precision == "bf16" else "f32",
        },
    )
    request = compiled.create_infer_request()
    shape = list(compiled.input(0).shape)
    images = numpy.random.default_rng(0).random(shape, dtype=numpy.float32)
    peer = f"OpenVINO {openvino.__version__.split('-')[0]}"
    measure(lambda: request.infer({0: images}), args, peer, import_rss)


def main():
    commands = {
        "torch": run_torch,
        "export": run_export,
        "quantise": run_quantise,
        "onnxruntime": run_onnxruntime,
        "openvino": run_openvino,
    }
    parser = argparse.ArgumentParser(description="Other engines at the same work.")
    parser.add_argument("command", choices=commands)
    parser.add_argument("--layout", choices=["eager", "channels_last", "compile"],
                        default="channels_last")
    parser.add_argument("--model", default="googlenet-torchvision")
    parser.add_argument("--mode", choices=["infer", "train"], default="infer")
    parser.add_argument("--precision", choices=["f32", "bf16", "int8"], default="f32")
    parser.add_argument("--batch-size", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--reps", type=int, default=5)
    parser.add_argument("--file", help="an ONNX file that they wrote")
    parser.add_argument("--out", help="where `export` and `quantise` write")
    args = parser.parse_args()
    try:
        commands[args.command](args)
    except ImportError as error:
        # 69 is EX_UNAVAILABLE: the peer is not here, which is no failure of the comparison.
        print(f"missing: {error}", file=sys.stderr)
        sys.exit(69)


if __name__ == "__main__":
    main()
