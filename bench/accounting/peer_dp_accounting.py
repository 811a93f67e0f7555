"""One turn of dp_accounting (pip install dp-accounting): prints JSON like ours.mjs. Usage: python peer_dp_accounting.py REPEATS"""
import json
import sys
import time

import dp_accounting as dp
from dp_accounting import pld, rdp

repeats = int(sys.argv[1]) if len(sys.argv) > 1 else 5
ADD = dp.NeighboringRelation.ADD_OR_REMOVE_ONE
sgd = lambda q, s, t: dp.SelfComposedDpEvent(dp.PoissonSampledDpEvent(q, dp.GaussianDpEvent(s)), t)
q = 256 / 60000


def epsilon(make, event, delta):
    account = make()
    account.compose(event)
    return account.get_epsilon(delta)


PLD = lambda: pld.PLDAccountant(ADD)
RDP = lambda: rdp.RdpAccountant(neighboring_relation=ADD)
mixed = dp.ComposedDpEvent([
    sgd(5e-3, 0.8, 100),
    dp.SelfComposedDpEvent(dp.GaussianDpEvent(8), 200),
    dp.SelfComposedDpEvent(dp.LaplaceDpEvent(10), 100),
])
cases = {
    "row 2, loss distribution": lambda: epsilon(PLD, sgd(q, 1.1, 14062), 1e-5),
    "row 2, Rényi": lambda: epsilon(RDP, sgd(q, 1.1, 14062), 1e-5),
    "row 14 (rate 0.01, noise 0.8, 1000 steps)": lambda: epsilon(PLD, sgd(0.01, 0.8, 1000), 1e-6),
    "mixed (sampled Gaussian, Gaussian, Laplace)": lambda: epsilon(PLD, mixed, 1e-6),
    "calibrate noise, epsilon 3, loss distribution": lambda: dp.calibrate_dp_mechanism(
        PLD, lambda s: sgd(q, s, 14062), 3, 1e-5, dp.ExplicitBracketInterval(0.2, 100)
    ),
}
out = {}
for name, work in cases.items():
    slow = name.startswith("calibrate")
    if not slow:
        work()
    times = []
    for _ in range(1 if slow else repeats):
        start = time.perf_counter()
        value = work()
        times.append(time.perf_counter() - start)
    times.sort()
    out[name] = {"fastest": times[0], "median": times[len(times) // 2], "value": float(value)}
print(json.dumps(out))
