"""One full training step in PyTorch on the CPU, plain or clipped per example. Prints one JSON line.

Usage: python peer_torch.py MODEL plain|vmap|opacus THREADS SECONDS   (needs torch; measured with 2.13.0)
plain: forward, mean cross-entropy, backward, SGD with momentum. vmap: per-example gradients by torch.func.vmap, clipped
and summed, then the same update without noise. opacus: ghost clipping, or for the LSTM its DPLSTM with per-example
gradients by hooks (ghost clipping does not take a layer that is used at every step).
"""
import json
import resource
import sys
import time

import torch
from torch import nn
from torch.nn import functional as F

VOCABULARY = 65


def tabular(_):
    return nn.Sequential(nn.Linear(30, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 2)), (1024, 30), 2


def mnist_cnn(_):
    return (
        nn.Sequential(
            nn.Conv2d(1, 32, 3, padding=1), nn.ReLU(), nn.Conv2d(32, 64, 3, padding=1), nn.MaxPool2d(2), nn.ReLU(),
            nn.Flatten(), nn.Linear(64 * 14 * 14, 128), nn.ReLU(), nn.Linear(128, 10),
        ),
        (128, 1, 28, 28),
        10,
    )


class Block(nn.Module):
    def __init__(self, i, o, stride):
        super().__init__()
        self.a, self.na = nn.Conv2d(i, o, 3, stride, 1, bias=False), nn.GroupNorm(16, o)
        self.b, self.nb = nn.Conv2d(o, o, 3, 1, 1, bias=False), nn.GroupNorm(16, o)
        self.skip = None if i == o else nn.Sequential(nn.Conv2d(i, o, 1, stride, bias=False), nn.GroupNorm(16, o))

    def forward(self, x):
        y = self.nb(self.b(F.relu(self.na(self.a(x)))))
        return F.relu(y + (x if self.skip is None else self.skip(x)))


def resnet18(_):
    layers, i = [nn.Conv2d(3, 64, 3, 1, 1, bias=False), nn.GroupNorm(16, 64), nn.ReLU()], 64
    for stage, o in enumerate([64, 128, 256, 512]):
        for block in range(2):
            layers.append(Block(i, o, 2 if stage > 0 and block == 0 else 1))
            i = o
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(512, 10)), (32, 3, 32, 32), 10


class CharLstm(nn.Module):
    def __init__(self, private):
        super().__init__()
        self.embed = nn.Embedding(VOCABULARY, 64)
        if private:
            from opacus.layers import DPLSTM

            self.lstm = DPLSTM(64, 128, batch_first=True)
        else:
            self.lstm = nn.LSTM(64, 128, batch_first=True)
        self.out = nn.Linear(128, VOCABULARY)

    def forward(self, x):
        return self.out(self.lstm(self.embed(x))[0])


class Layer(nn.Module):
    def __init__(self, d, heads):
        super().__init__()
        self.heads = heads
        self.n1, self.qkv, self.o = nn.LayerNorm(d), nn.Linear(d, 3 * d), nn.Linear(d, d)
        self.n2, self.up, self.down = nn.LayerNorm(d), nn.Linear(d, 4 * d), nn.Linear(4 * d, d)

    def forward(self, v):
        n, t, d = v.shape
        qkv = self.qkv(self.n1(v)).view(n, t, 3, self.heads, d // self.heads).permute(2, 0, 3, 1, 4)
        q, k, u = qkv[0], qkv[1], qkv[2]
        y = F.scaled_dot_product_attention(q, k, u, is_causal=True)
        v = v + self.o(y.transpose(1, 2).reshape(n, t, d))
        return v + self.down(F.gelu(self.up(self.n2(v))))


class Transformer(nn.Module):
    def __init__(self):
        super().__init__()
        t, d = 128, 128
        self.embed, self.place = nn.Embedding(VOCABULARY, d), nn.Embedding(t, d)
        self.layers = nn.Sequential(*[Layer(d, 4) for _ in range(4)])
        self.n, self.out = nn.LayerNorm(d), nn.Linear(d, VOCABULARY, bias=False)

    def forward(self, x):
        # Places are looked up for each example: Opacus wants a batch axis on every layer's input.
        place = self.place(torch.arange(x.shape[1]).expand(x.shape).contiguous())
        return self.out(self.n(self.layers(self.embed(x) + place)))


models = {
    "tabular": tabular,
    "mnist-cnn": mnist_cnn,
    "resnet18-gn": resnet18,
    "char-lstm": lambda private: (CharLstm(private), (32, 64), None),
    "transformer": lambda _: (Transformer(), (16, 128), None),
}


def main():
    name, kind, threads, seconds = sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4])
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    model, shape, classes = models[name](kind == "opacus")
    n = shape[0]
    text = classes is None
    x = torch.randint(0, VOCABULARY, shape) if text else torch.rand(shape)
    y = torch.randint(0, VOCABULARY, shape) if text else torch.randint(0, classes, (n,))
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-4, momentum=0.9)

    def loss_of(out, target):
        return F.cross_entropy(out.flatten(0, -2), target.flatten())

    def plain():
        optimizer.zero_grad()
        loss = loss_of(model(x), y)
        loss.backward()
        optimizer.step()
        return loss.item()

    named = dict(model.named_parameters())

    def one(params, a, b):
        return loss_of(torch.func.functional_call(model, params, (a.unsqueeze(0),)), b.unsqueeze(0))

    each = torch.func.vmap(torch.func.grad(one), in_dims=(None, 0, 0))

    def vmap():
        grads = each({k: v.detach() for k, v in named.items()}, x, y)
        norms = torch.sqrt(sum(g.flatten(1).pow(2).sum(1) for g in grads.values()))
        c = torch.clamp(1.0 / norms.clamp(min=1e-30), max=1.0)
        for k, p in named.items():
            p.grad = torch.einsum("n,n...->...", c, grads[k]) / n
        optimizer.step()

    step, how = {"plain": plain, "vmap": vmap}.get(kind), kind
    if kind == "opacus":
        if name == "char-lstm":
            from opacus import GradSampleModule
            from opacus.optimizers import DPOptimizer

            wrapped = GradSampleModule(model, batch_first=True, loss_reduction="mean")
            dp = DPOptimizer(optimizer, noise_multiplier=0.0, max_grad_norm=1.0, expected_batch_size=n)
            how = "opacus, DPLSTM, hooks"

            def step():
                dp.zero_grad()
                loss_of(wrapped(x), y).backward()
                dp.step()
        else:
            from opacus.grad_sample import GradSampleModuleFastGradientClipping
            from opacus.optimizers.optimizer_fast_gradient_clipping import DPOptimizerFastGradientClipping
            from opacus.utils.fast_gradient_clipping_utils import DPLossFastGradientClipping

            wrapped = GradSampleModuleFastGradientClipping(model, max_grad_norm=1.0, use_ghost_clipping=True)
            dp = DPOptimizerFastGradientClipping(optimizer, noise_multiplier=0.0, max_grad_norm=1.0, expected_batch_size=n)

            class Loss(nn.CrossEntropyLoss):
                """One value for each example, also for texts."""

                def forward(self, out, target):
                    each = F.cross_entropy(out.flatten(0, -2), target.flatten(), reduction="none").reshape(n, -1).mean(1)
                    return each if self.reduction == "none" else each.mean()

            criterion = DPLossFastGradientClipping(wrapped, dp, Loss(), "mean")
            how = "opacus, ghost clipping"

            def step():
                dp.zero_grad()
                criterion(wrapped(x), y).backward()
                dp.step()

    times, cpu = [], float("inf")
    first = time.perf_counter()
    for _ in range(5):
        step()
        if time.perf_counter() - first > 4:
            break
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(times) < 4:
        start, before = time.perf_counter(), time.process_time()
        step()
        times.append(1e3 * (time.perf_counter() - start))
        cpu = min(cpu, 1e3 * (time.process_time() - before))
    times.sort()
    print(json.dumps({
        "model": name, "kind": kind, "engine": "torch " + torch.__version__, "how": how, "threads": threads, "batch": n,
        "ms": times[len(times) // 2], "msMin": times[0], "cpuMin": cpu, "steps": len(times),
        "peakMiB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }))


main()
