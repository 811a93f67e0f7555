# Writes skew-normal.json: pip install mpmath==1.3.0 scipy==1.17.1 numpy && python3 test/vectors/skew-normal.py
import json, os
import mpmath as mp
import numpy as np
import scipy
from scipy import stats

mp.mp.dps = 40


def log_cdf(x, loc, scale, shape):
    # The definition, integrated by mpmath: scipy's own cdf loses the lower tail.
    z, a = (mp.mpf(x) - loc) / scale, mp.mpf(shape)
    f = lambda t: 2 * mp.npdf(t) * mp.ncdf(a * t)
    steps = [z - 60] + [z - mp.mpf(k) / 16 for k in range(320, -1, -1)]
    return mp.log(mp.quad(f, steps))


out = {"made": f"mpmath {mp.__version__}, scipy {scipy.__version__}, test/vectors/skew-normal.py"}
out["logCdf"] = [[x, l, s, a, float(log_cdf(x, l, s, a))] for x, l, s, a in [
    (0, 0, 1, 0), (-4, 0, 1, 0), (-10, 0, 1, 0), (60, 100, 10, 0.3), (60, 100, 10, -0.3), (20, 100, 10, 1), (100, 100, 10, 2),
    (100, 100, 10, -2), (50, 100, 10, -3), (95, 100, 10, 5), (80, 100, 10, 5), (150, 100, 10, 1), (104, 100, 10, -8), (-30, 0, 1, -1), (130, 100, 10, 0.5)]]
rng = np.random.default_rng(3)
fits = []
for loc, scale, shape, n in [(100, 10, 0, 300), (100, 10, 3, 300), (60, 4, -2, 400), (0, 1, 6, 250)]:
    data = np.round(stats.skewnorm.rvs(shape, loc=loc, scale=scale, size=n, random_state=rng), 4)
    best = None
    for start in [-3, -0.5, 0.5, 3]:
        a, l, s = stats.skewnorm.fit(data, start, loc=data.mean(), scale=data.std())
        ll = stats.skewnorm.logpdf(data, a, l, s).sum()
        if best is None or ll > best[0]:
            best = (ll, a, l, s)
    ll, a, l, s = best
    test = stats.kstest(data, stats.skewnorm(a, loc=l, scale=s).cdf)
    fits.append({"data": data.tolist(), "location": l, "scale": s, "shape": a, "logLikelihood": ll, "distance": test.statistic, "p": test.pvalue})
out["fits"] = fits
out["kolmogorov"] = [[x, float(stats.kstwobign.sf(x))] for x in [0.2, 0.4, 0.6, 0.8, 1.0, 1.17, 1.19, 1.5, 2.0, 3.0]]
q = stats.norm.ppf((np.arange(1000) + 0.5) / 1000) * 10 + 100
a, l, s = stats.skewnorm.fit(q)
out["quantiles"] = {"fit": [l, s, a], "logLikelihood": stats.skewnorm.logpdf(q, a, l, s).sum(),
                    "bits": [[v, float(-np.log2(stats.skewnorm.cdf(v, a, l, s)))] for v in [60, 70, 80, 100]]}
with open(os.path.join(os.path.dirname(__file__), "skew-normal.json"), "w") as file:
    file.write("{\n" + ",\n".join(f"{json.dumps(k)}: {json.dumps(v)}" for k, v in out.items()) + "\n}\n")
