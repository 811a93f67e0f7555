"""Independent values for truncated Poisson batches and mixtures of Gaussians, one step: hockey-stick divergences of explicit
one-dimensional mixtures of normals by mpmath at 30 digits, cut at every sign change of the density difference.

    python -m venv v && v/bin/pip install mpmath numpy && v/bin/python test/vectors/privacy-mixtures.py > test/vectors/privacy-mixtures.json
"""
import json
import mpmath as mp
import numpy as np

mp.mp.dps = 30
Phi = lambda x: mp.erfc(-x / mp.sqrt(2)) / 2


def hockey(p, q, eps, s):
    """sup over events of P - e^eps Q; mixtures are lists of (weight, mean) with standard deviation s."""
    e = mp.exp(mp.mpf(eps))
    dens = lambda mix, x: sum(w * mp.exp(-((x - m) ** 2) / (2 * s * s)) for w, m in mix)
    g = lambda x: dens(p, x) - e * dens(q, x)
    xs = np.arange(-14, 16, 0.05) * float(s)

    def log_density(mix):
        terms = np.array([np.log(float(w)) - (xs - float(m)) ** 2 / (2 * float(s) ** 2) for w, m in mix])
        top = terms.max(0)
        return top + np.log(np.exp(terms - top).sum(0))

    sign = np.sign(log_density(p) - float(eps) - log_density(q))
    cuts = [mp.mpf(-60) * s]
    for k in range(len(xs) - 1):
        if sign[k] * sign[k + 1] < 0:
            lo, hi = mp.mpf(xs[k]), mp.mpf(xs[k + 1])
            rising = g(lo) > 0
            for _ in range(90):
                mid = (lo + hi) / 2
                lo, hi = (mid, hi) if (g(mid) > 0) == rising else (lo, mid)
            cuts.append(lo)
    cuts.append(mp.mpf(60) * s)
    cdf = lambda mix, x: sum(w * Phi((x - m) / s) for w, m in mix)
    total = mp.mpf(0)
    for a, b in zip(cuts, cuts[1:]):
        if g((max(a, xs[0]) + min(b, xs[-1])) / 2) > 0:
            total += cdf(p, b) - cdf(p, a) - e * (cdf(q, b) - cdf(q, a))
    return total


def epsilon(p, q, s, delta):
    lo, hi = mp.mpf(0), mp.mpf(40)
    for _ in range(45):
        mid = (lo + hi) / 2
        lo, hi = (mid, hi) if hockey(p, q, mid, s) > delta else (lo, mid)
    return lo


def worlds(q, records, cap, others, new):
    """Sums of a truncated batch with and without one record: records - 1 values `others` and, in the first world, one value
    `new` are each drawn with probability q; of a batch above cap a uniformly random cap stay."""
    q, m = mp.mpf(q), records - 1
    without, with_ = {}, {}

    def put(into, value, weight):
        if weight > 0:
            into[value] = into.get(value, mp.mpf(0)) + weight

    for k in range(m + 1):
        w = mp.binomial(m, k) * q**k * (1 - q) ** (m - k)
        kept = min(k, cap)
        put(without, kept * others, w)
        put(with_, kept * others, w * (1 - q))
        stays = mp.mpf(min(cap, k + 1)) / (k + 1)
        put(with_, min(k, cap - 1) * others + new, w * q * stays)
        put(with_, cap * others, w * q * (1 - stays))
    as_list = lambda d: [(w, mp.mpf(v)) for v, w in sorted(d.items())]
    return as_list(with_), as_list(without)


n = lambda x: float(mp.nstr(x, 15))
truncated = []
for q, records, cap, s, delta in [(0.5, 3, 2, 1, 1e-6), (0.9, 4, 2, 1, 1e-6), (0.95, 6, 1, 2, 1e-5), (0.1, 20, 3, 0.8, 1e-5), (0.05, 40, 2, 2, 1e-4)]:
    best = mp.mpf(0)
    for others in (-1, 0, 1):
        a, b = worlds(q, records, cap, others, 1)
        best = max(best, epsilon(a, b, mp.mpf(s), mp.mpf(delta)), epsilon(b, a, mp.mpf(s), mp.mpf(delta)))
    truncated.append({"rate": q, "records": records, "cap": cap, "sigma": s, "delta": delta, "least": n(best)})

mixtures = []
for s, shifts, weights, delta in [(1, [0, 1, 2], [0.2, 0.6, 0.2], 1e-6), (2, [0, 2, 3], [0.33, 0.34, 0.33], 1e-6), (0.7, [0, 1, 2, 3], [0.97, 0.02, 0.007, 0.003], 1e-5)]:
    p = [(mp.mpf(w), mp.mpf(x)) for w, x in zip(weights, shifts)]
    none = [(mp.mpf(1), mp.mpf(0))]
    s_, d = mp.mpf(s), mp.mpf(delta)
    density = lambda mix, x: sum(w * mp.exp(-((x - m) ** 2) / (2 * s_ * s_)) for w, m in mix) / (s_ * mp.sqrt(2 * mp.pi))
    grid = [mp.mpf(x) * s_ for x in range(-24, 60, 4)]
    renyi = lambda a, b, o: mp.log(mp.quad(lambda x: density(a, x) ** o * density(b, x) ** (1 - o), grid)) / (o - 1)
    rows = [[o, n(max(renyi(p, none, mp.mpf(o)), renyi(none, p, mp.mpf(o))))] for o in (1.5, 4)]
    eps = max(epsilon(p, none, s_, d), epsilon(none, p, s_, d))
    mixtures.append({"sigma": s, "shifts": shifts, "weights": weights, "delta": delta, "epsilon": n(eps), "rdp": rows})

print(json.dumps({"command": "python test/vectors/privacy-mixtures.py", "mpmath": mp.__version__, "truncated": truncated, "mixtures": mixtures}, indent=1))
