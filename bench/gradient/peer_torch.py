"""Input-gradient step of three models in PyTorch on the CPU. Prints one JSON line per model.

Usage: python peer_torch.py MODEL THREADS SECONDS   (needs torch; measured with 2.13.0)
One step: forward, cross-entropy summed over the batch, gradient of the inputs only.
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
            nn.Conv2d(1, 32, 3, padding=1), nn.ReLU(), nn.Conv2d(32, 64, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.Flatten(), nn.Linear(64 * 14 * 14, 128), nn.ReLU(), nn.Linear(128, 10),
        ),
        (128, 1, 28, 28),
        10,
    )


class Block(nn.Module):
    def __init__(self, cin, cout, stride):
        super().__init__()
        self.a = nn.Conv2d(cin, cout, 3, stride=stride, padding=1)
        self.b = nn.Conv2d(cout, cout, 3, padding=1)
        self.short = nn.Conv2d(cin, cout, 1, stride=stride) if stride != 1 or cin != cout else nn.Identity()

    def forward(self, x):
        return torch.relu(self.b(torch.relu(self.a(x))) + self.short(x))


def cifar_resnet():
    return (
        nn.Sequential(
            nn.Conv2d(3, 16, 3, padding=1), nn.ReLU(), Block(16, 16, 1), Block(16, 32, 2), Block(32, 64, 2),
            nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10),
        ),
        (32, 3, 32, 32),
        10,
    )


def main():
    name, threads, seconds = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    model, shape, classes = {"tabular": tabular, "mnist-cnn": mnist_cnn, "cifar-resnet": cifar_resnet}[name]()
    model.eval()
    for p in model.parameters():
        p.requires_grad_(False)
    x = torch.rand(shape)
    y = torch.randint(0, classes, (shape[0],))

    def step():
        inputs = x.clone().requires_grad_(True)
        loss = nn.functional.cross_entropy(model(inputs), y, reduction="sum")
        loss.backward()
        return inputs.grad

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
        "model": name, "engine": "torch " + torch.__version__, "threads": threads, "batch": shape[0],
        "ms": times[len(times) // 2], "msMin": times[0], "steps": len(times),
        "peakMiB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }))


main()
