"""One full training step in PyTorch on the CPU, plain or clipped per example. Prints one JSON line.

Usage: python peer_torch.py MODEL plain|clipped|opacus THREADS SECONDS   (needs torch; measured with 2.13.0)
plain: forward, mean cross-entropy, backward, SGD with momentum. clipped: per-example gradients by torch.func.vmap, clipped
and summed, then the same update without noise. opacus: its ghost clipping, where opacus is installed.
"""
import json
import resource
import sys
import time

import torch
from torch import nn


def tabular():
    return nn.Sequential(nn.Linear(30, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 2)), (1024, 30), 2


def mnist_cnn():
    return (
        nn.Sequential(
            nn.Conv2d(1, 32, 3, padding=1), nn.ReLU(), nn.Conv2d(32, 64, 3, padding=1), nn.MaxPool2d(2), nn.ReLU(),
            nn.Flatten(), nn.Linear(64 * 14 * 14, 128), nn.ReLU(), nn.Linear(128, 10),
        ),
        (128, 1, 28, 28),
        10,
    )


def main():
    name, kind, threads, seconds = sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4])
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    model, shape, classes = {"tabular": tabular, "mnist-cnn": mnist_cnn}[name]()
    x = torch.rand(shape)
    y = torch.randint(0, classes, (shape[0],))
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-4, momentum=0.9)

    def plain():
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        return loss.item()

    named = dict(model.named_parameters())

    def one(params, a, b):
        out = torch.func.functional_call(model, params, (a.unsqueeze(0),))
        return nn.functional.cross_entropy(out, b.unsqueeze(0))

    each = torch.func.vmap(torch.func.grad(one), in_dims=(None, 0, 0))

    def clipped():
        grads = each({k: v.detach() for k, v in named.items()}, x, y)
        norms = torch.sqrt(sum(g.flatten(1).pow(2).sum(1) for g in grads.values()))
        c = torch.clamp(1.0 / norms.clamp(min=1e-30), max=1.0)
        for k, p in named.items():
            p.grad = torch.einsum("n,n...->...", c, grads[k]) / shape[0]
        optimizer.step()

    step = {"plain": plain, "clipped": clipped}.get(kind)
    if kind == "opacus":
        from opacus import GradSampleModule
        from opacus.grad_sample import GradSampleModuleFastGradientClipping
        from opacus.optimizers.optimizer_fast_gradient_clipping import DPOptimizerFastGradientClipping
        from opacus.utils.fast_gradient_clipping_utils import DPLossFastGradientClipping

        wrapped = GradSampleModuleFastGradientClipping(model, max_grad_norm=1.0, use_ghost_clipping=True)
        dp = DPOptimizerFastGradientClipping(
            optimizer, noise_multiplier=0.0, max_grad_norm=1.0, expected_batch_size=shape[0]
        )
        criterion = DPLossFastGradientClipping(wrapped, dp, nn.CrossEntropyLoss(), "mean")

        def step():
            dp.zero_grad()
            criterion(wrapped(x), y).backward()
            dp.step()

    for _ in range(5):
        step()
    times = []
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(times) < 10:
        start = time.perf_counter()
        step()
        times.append(1e3 * (time.perf_counter() - start))
    times.sort()
    print(json.dumps({
        "model": name, "kind": kind, "engine": "torch " + torch.__version__, "threads": threads, "batch": shape[0],
        "ms": times[len(times) // 2], "msMin": times[0], "steps": len(times),
        "peakMiB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }))


main()
