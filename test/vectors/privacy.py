"""Independent high-precision values for the privacy accountants: mpmath quadrature at 40 digits, and exact convolution.

    python -m venv v && v/bin/pip install mpmath numpy && v/bin/python test/vectors/privacy.py > test/vectors/privacy.json
"""
import json
import mpmath as mp
import numpy as np

mp.mp.dps = 40
Phi = lambda x: mp.erfc(-x / mp.sqrt(2)) / 2
pdf = lambda x, m, s: mp.exp(-((x - m) ** 2) / (2 * s * s)) / (s * mp.sqrt(2 * mp.pi))


def rdp(q, s, a):
    """log E_Q[(P/Q)^a] / (a - 1) by quadrature of the definition."""
    q, s, a = mp.mpf(q), mp.mpf(s), mp.mpf(a)
    f = lambda x: pdf(x, 0, s) * (1 - q + q * mp.exp((2 * x - 1) / (2 * s * s))) ** a
    points = sorted(set([-20 * s, -4 * s, mp.mpf(0), mp.mpf(1), a / 2, a, a + 4 * s, a + 20 * s]))
    return mp.log(mp.quad(f, points)) / (a - 1)


def hockey(p, q, eps, s):
    """sup_S P(S) - e^eps Q(S) of two mixtures of normals (pairs of weight and mean), by quadrature of the positive part."""
    e = mp.exp(mp.mpf(eps))
    dens = lambda mix, x: sum(w * pdf(x, m, s) for w, m in mix)
    g = lambda x: dens(p, x) - e * dens(q, x)
    xs = [mp.mpf(x) / 8 * s for x in range(-160, 200)]
    roots = []
    for a, b in zip(xs, xs[1:]):
        if g(a) * g(b) < 0:
            roots.append(mp.findroot(g, (a, b), solver="anderson", tol=mp.mpf(10) ** -60, verify=False))
    cuts = [xs[0] - 30 * s] + roots + [xs[-1] + 30 * s]
    cdf = lambda mix, x: sum(w * Phi((x - m) / s) for w, m in mix)
    total = mp.mpf(0)
    for a, b in zip(cuts, cuts[1:]):
        if g((a + b) / 2) > 0:
            total += cdf(p, b) - cdf(p, a) - e * (cdf(q, b) - cdf(q, a))
    return total


def solve(delta_of, delta, lo=0.0, hi=60.0):
    lo, hi = mp.mpf(lo), mp.mpf(hi)
    for _ in range(110):
        mid = (lo + hi) / 2
        if delta_of(mid) > delta:
            lo = mid
        else:
            hi = mid
    return hi


def lattice(masses, losses, delta):
    """epsilon of a distribution of losses."""
    d = lambda e: sum((p * -mp.expm1(e - l) for p, l in zip(masses, losses) if l > e), mp.mpf(0))
    return solve(d, mp.mpf(delta), 0, 200)


def binary(eps, k, delta):
    """k-fold randomized response on two answers, each eps-DP."""
    eps = mp.mpf(eps)
    hi = mp.exp(eps) / (1 + mp.exp(eps))
    masses = [mp.binomial(k, j) * hi ** j * (1 - hi) ** (k - j) for j in range(k + 1)]
    return lattice(masses, [(2 * j - k) * eps for j in range(k + 1)], delta)


def discrete_gaussian(s, k, delta):
    n = int(12 * s)
    z = np.arange(-n, n + 1, dtype=np.longdouble)
    one = np.exp(-z * z / (2 * np.longdouble(s) ** 2))
    one /= one.sum()
    total = np.array([1], dtype=np.longdouble)
    for _ in range(k):
        total = np.convolve(total, one)
    m = (len(total) - 1) // 2
    losses = [(mp.mpf(k) - 2 * mp.mpf(i - m)) / (2 * mp.mpf(s) ** 2) for i in range(len(total))]
    keep = [(mp.mpf(float(p)), l) for p, l in zip(total, losses) if p > 1e-25 and l > 0]
    return lattice([p for p, _ in keep], [l for _, l in keep], delta)


def bounded_range(eps, a):
    """RDP of the worst mechanism of bounded range eps: grid, then golden section, over its offset."""
    eps, a = mp.mpf(eps), mp.mpf(a)
    f = lambda t: mp.log(
        mp.expm1(eps - t) / mp.expm1(eps) * mp.exp(a * t)
        + (1 - mp.expm1(eps - t) / mp.expm1(eps)) * mp.exp(a * (t - eps))
    ) / (a - 1)
    t = max((eps * i / 400 for i in range(1, 400)), key=f)
    lo, hi = t - eps / 400, t + eps / 400
    for _ in range(120):
        x, y = lo + (hi - lo) / 3, hi - (hi - lo) / 3
        lo, hi = (x, hi) if f(x) < f(y) else (lo, y)
    return f((lo + hi) / 2)


n = lambda x: float(mp.nstr(x, 17))
out = {"command": "python test/vectors/privacy.py", "mpmath": mp.__version__, "numpy": np.__version__}
cases = [(256 / 60000, 1.1, 8.1), (256 / 60000, 0.7, 3.8), (0.01, 2.5, 1.5), (0.01, 0.25, 1.25), (0.1, 1, 1.1),
         (0.5, 0.8, 1.3), (0.9, 2, 2.5), (1e-5, 10, 1.7), (1e-4, 1, 5.5), (0.2, 0.5, 2.2), (0.01, 4, 17), (0.04, 1.5, 3.9)]
out["rdp"] = [{"rate": q, "sigma": s, "order": a, "value": n(rdp(q, s, a))} for q, s, a in cases]
single = []
for q, s, delta in [(0.01, 0.8, 1e-6), (0.2, 0.5, 1e-5), (256 / 60000, 1.1, 1e-5), (0.5, 1, 1e-5), (0.05, 1, 1e-8)]:
    mixed, none, other = [(1 - q, 0), (q, 1)], [(1, 0)], [(1 - q, 0), (q, -1)]
    s_ = mp.mpf(s)
    both = max(solve(lambda e: hockey(mixed, none, e, s_), delta), solve(lambda e: hockey(none, mixed, e, s_), delta))
    row = {"rate": q, "sigma": s, "delta": delta, "poisson": n(both)}
    row["replaceOne"] = n(solve(lambda e: hockey(mixed, other, e, s_), delta))
    single.append(row)
out["oneStep"] = single
out["binary"] = [{"epsilon": n(e), "count": k, "delta": d, "value": n(binary(e, k, d))}
                 for e, k, d in [(mp.log(3), 1, 1e-5), (mp.log(3), 10, 1e-5), (mp.log(3), 100, 1e-5), (1, 100, 1e-6), (0.1, 100, 1e-6)]]
out["discreteGaussian"] = [{"sigma": s, "count": k, "delta": 1e-5, "value": n(discrete_gaussian(s, k, 1e-5))}
                           for s, k in [(1, 10), (2, 10), (10, 1), (10, 10), (10, 100)]]
out["boundedRange"] = [{"epsilon": e, "order": a, "value": n(bounded_range(e, a))} for e, a in [(1, 1.1), (1, 2), (1, 1.9), (0.2, 8), (3, 4)]]
print(json.dumps(out, indent=1))
