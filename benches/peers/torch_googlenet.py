"""PyTorch's side of a comparison: torchvision's GoogLeNet, channels last, single precision.

    python3 benches/peers/torch_googlenet.py --mode infer --batch-size 1 --threads 2

Prints one JSON object with the fields of `inception bench --json` that are compared. Training
is a whole step: forward with both auxiliary classifiers, backward, SGD with momentum.
Needs torch and torchvision; run it beside `inception bench` in turns, on a quiet machine.
"""

import argparse
import json
import statistics
import time

import torch
import torchvision


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--mode", choices=["infer", "train"], default="infer")
    parser.add_argument("--batch-size", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--reps", type=int, default=10)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    train = args.mode == "train"
    model = torchvision.models.googlenet(
        weights=None, aux_logits=train, init_weights=False, transform_input=False
    ).to(memory_format=torch.channels_last)
    model.train(train)
    images = torch.rand(args.batch_size, 3, 224, 224).to(memory_format=torch.channels_last)
    labels = torch.randint(0, 1000, (args.batch_size,))
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-4, momentum=0.9)
    loss_of = torch.nn.CrossEntropyLoss()

    def infer():
        with torch.inference_mode():
            model(images)

    def step():
        optimizer.zero_grad(set_to_none=True)
        out = model(images)
        loss = loss_of(out.logits, labels)
        loss = loss + 0.3 * (loss_of(out.aux_logits1, labels) + loss_of(out.aux_logits2, labels))
        loss.backward()
        optimizer.step()

    run = step if train else infer
    times = []
    for rep in range(args.reps + 1):
        start = time.perf_counter()
        run()
        if rep:
            times.append(1e3 * (time.perf_counter() - start))
    median = statistics.median(times)
    report = {
        "peer": f"torch {torch.__version__} channels_last",
        "mode": args.mode,
        "batch_size": args.batch_size,
        "threads": args.threads,
        "median_ms": median,
        "min_ms": min(times),
        "images_per_s": 1e3 * args.batch_size / median,
    }
    print(json.dumps(report))


if __name__ == "__main__":
    main()
