# The same private training with Opacus: milliseconds a step and peak memory over some steps, or a whole training.
# Usage: python peer_opacus.py DATA-FOLDER '{"batch":1024,"sigma":1.1,"clip":0.1,"learningRate":8,"steps":30,"threads":2}'
# Needs torch and opacus. Poisson sampling, ghost clipping off (Opacus's default), noise from torch's generator.
import gzip, json, resource, sys, time
import numpy as np, torch
from torch import nn
from opacus import PrivacyEngine

folder, text = sys.argv[1:3]
s = json.loads(text)
torch.set_num_threads(s.get("threads", 2))
torch.manual_seed(s.get("seed", 0))
def idx(name):
    raw = gzip.open(f"{folder}/{name}").read()
    dims = [int.from_bytes(raw[4 + 4 * i : 8 + 4 * i], "big") for i in range(raw[3])]
    return np.frombuffer(raw, np.uint8, offset=4 + 4 * raw[3]).reshape(dims)
def load(name):
    x = torch.tensor(idx(f"{name}-images-idx3-ubyte.gz")[:, None].astype(np.float32) / 85)
    return x, torch.tensor(idx(f"{name}-labels-idx1-ubyte.gz").astype(np.int64))
x, y = load("train")
model = nn.Sequential(
    nn.Conv2d(1, 16, 8, 2, 3), nn.Tanh(), nn.AvgPool2d(2, 1),
    nn.Conv2d(16, 32, 4, 2), nn.Tanh(), nn.AvgPool2d(2, 1),
    nn.Flatten(), nn.Linear(512, 32), nn.Tanh(), nn.Linear(32, 10),
)
optimizer = torch.optim.SGD(model.parameters(), lr=s["learningRate"], momentum=0.9)
loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(x, y), batch_size=s["batch"])
model, optimizer, loader = PrivacyEngine().make_private(
    module=model, optimizer=optimizer, data_loader=loader, noise_multiplier=s["sigma"], max_grad_norm=s["clip"], poisson_sampling=True
)
steps, times = s["steps"], []
done = 0
while done < steps:
    begin = time.perf_counter()
    for a, b in loader:
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(a), b).backward()
        optimizer.step()
        now = time.perf_counter()
        times.append(now - begin)
        begin = now
        done += 1
        if done >= steps:
            break
model.eval()
tx, ty = load("t10k")
with torch.no_grad():
    right = sum((model(tx[i : i + 500]).argmax(1) == ty[i : i + 500]).sum().item() for i in range(0, 10000, 500))
usage = resource.getrusage(resource.RUSAGE_SELF)
print(json.dumps({"engine": "opacus", **s, "msPerStep": 1000 * sorted(times)[len(times) // 2], "seconds": sum(times), "cpuSeconds": usage.ru_utime + usage.ru_stime, "accuracy": right / 10000, "peakMiB": round(usage.ru_maxrss / 1024)}))
