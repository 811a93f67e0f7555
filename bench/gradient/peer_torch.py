"""Input-gradient step of the models of the comparison in PyTorch on the CPU. Prints one JSON line.

Usage: python peer_torch.py MODEL THREADS SECONDS   (needs torch; measured with 2.13.0)
One step: forward, cross-entropy summed over the batch, gradient of the inputs only. Forward: without gradients.
"""
import json
import resource
import sys
import time

import torch
from torch import nn
from torch.nn import functional as F


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


def resnet_2b():
    """ResNet-2B of VNN-COMP 2021, layer by layer."""
    return (
        nn.Sequential(
            nn.Conv2d(3, 8, 3, stride=2, padding=1), nn.ReLU(), Block(8, 16, 2), Block(16, 16, 1),
            nn.Flatten(), nn.Linear(1024, 100), nn.ReLU(), nn.Linear(100, 10),
        ),
        (100, 3, 32, 32),
        10,
    )


def resnet_18():
    layers = [nn.Conv2d(3, 64, 3, padding=1), nn.ReLU()]
    cin = 64
    for i, cout in enumerate([64, 128, 256, 512]):
        layers += [Block(cin, cout, 1 if i == 0 else 2), Block(cout, cout, 1)]
        cin = cout
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(512, 10)), (32, 3, 32, 32), 10


class Fire(nn.Module):
    def __init__(self, cin, squeeze, expand):
        super().__init__()
        self.s = nn.Conv2d(cin, squeeze, 1)
        self.e1 = nn.Conv2d(squeeze, expand, 1)
        self.e3 = nn.Conv2d(squeeze, expand, 3, padding=1)

    def forward(self, x):
        s = torch.relu(self.s(x))
        return torch.cat([torch.relu(self.e1(s)), torch.relu(self.e3(s))], 1)


def squeezenet():
    """SqueezeNet 1.1."""
    pool = lambda: nn.MaxPool2d(3, stride=2, ceil_mode=True)
    return (
        nn.Sequential(
            nn.Conv2d(3, 64, 3, stride=2), nn.ReLU(), pool(), Fire(64, 16, 64), Fire(128, 16, 64), pool(),
            Fire(128, 32, 128), Fire(256, 32, 128), pool(), Fire(256, 48, 192), Fire(384, 48, 192),
            Fire(384, 64, 256), Fire(512, 64, 256), nn.Conv2d(512, 1000, 1), nn.ReLU(), nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
        ),
        (8, 3, 224, 224),
        1000,
    )


class CharLstm(nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(65, 128, num_layers=2, batch_first=True)
        self.head = nn.Linear(128, 65)

    def forward(self, x):
        return self.head(self.lstm(x)[0][:, -1])


class Encoder(nn.Module):
    def __init__(self, d, heads, hidden):
        super().__init__()
        self.heads = heads
        self.n1, self.n2 = nn.LayerNorm(d), nn.LayerNorm(d)
        self.q, self.k, self.v, self.o = (nn.Linear(d, d) for _ in range(4))
        self.up, self.down = nn.Linear(d, hidden), nn.Linear(hidden, d)

    def forward(self, x):
        n, t, d = x.shape
        h = self.n1(x)
        split = lambda y: y.view(n, t, self.heads, d // self.heads).transpose(1, 2)
        mixed = F.scaled_dot_product_attention(split(self.q(h)), split(self.k(h)), split(self.v(h)))
        x = x + self.o(mixed.transpose(1, 2).reshape(n, t, d))
        return x + self.down(F.gelu(self.up(self.n2(x))))


class Transformer(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(*(Encoder(128, 4, 512) for _ in range(4)), nn.LayerNorm(128))
        self.head = nn.Linear(128, 2)

    def forward(self, x):
        return self.head(self.layers(x).mean(1))


MODELS = {
    "tabular": tabular,
    "mnist-cnn": mnist_cnn,
    "resnet-2b": resnet_2b,
    "resnet-18": resnet_18,
    "squeezenet": squeezenet,
    "char-lstm": lambda: (CharLstm(), (32, 64, 65), 65),
    "transformer": lambda: (Transformer(), (16, 128, 128), 2),
}


def median_ms(call, seconds):
    for _ in range(3):
        call()
    times = []
    cpu = []
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(times) < 5:
        before, start = time.process_time(), time.perf_counter()
        call()
        times.append(1e3 * (time.perf_counter() - start))
        cpu.append(1e3 * (time.process_time() - before))
    times.sort()
    cpu.sort()
    return times[len(times) // 2], times[0], cpu[len(cpu) // 2], len(times)


def main():
    name, threads, seconds = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    model, shape, classes = MODELS[name]()
    model.eval()
    for p in model.parameters():
        p.requires_grad_(False)
    if name == "char-lstm":
        x = F.one_hot(torch.randint(0, shape[2], shape[:2]), shape[2]).float()
    else:
        x = torch.rand(shape)
    y = torch.randint(0, classes, (shape[0],))

    def step():
        inputs = x.clone().requires_grad_(True)
        loss = F.cross_entropy(model(inputs), y, reduction="sum")
        loss.backward()
        return inputs.grad

    def forward():
        with torch.no_grad():
            return model(x)

    ms, ms_min, cpu_ms, steps = median_ms(step, seconds)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    forward_ms, _, _, _ = median_ms(forward, seconds / 4)
    print(json.dumps({
        "model": name, "engine": "torch " + torch.__version__, "threads": threads, "batch": shape[0],
        "ms": ms, "msMin": ms_min, "cpuMs": cpu_ms, "forwardMs": forward_ms, "steps": steps, "peakMiB": peak,
    }))


main()
