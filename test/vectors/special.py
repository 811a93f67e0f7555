# Writes special.json: pip install mpmath==1.4.1 && python3 test/vectors/special.py
import json, os
import mpmath as mp

mp.mp.dps = 50
f = lambda v: float(v)


def beta_cdf(x, a, b):
    # DLMF 8.17.8 as a series of positive terms; mpmath's own betainc takes minutes for counts in the thousands
    a, b, x = mp.mpf(a), mp.mpf(b), mp.mpf(x)
    if x > a / (a + b):
        return 1 - beta_cdf(1 - x, b, a)
    term, total, n = mp.mpf(1), mp.mpf(0), 0
    while term > total * mp.eps:
        total += term
        term *= (a + b + n) / (a + 1 + n) * x
        n += 1
    return mp.exp(a * mp.log(x) + b * mp.log1p(-x) + mp.loggamma(a + b) - mp.loggamma(a) - mp.loggamma(b)) / a * total


def beta_quantile(p, a, b):
    # Newton's method from a coarse bisection, on the exact value of the double p
    a, b, p = mp.mpf(a), mp.mpf(b), mp.mpf(p)
    if p > 0.5:
        return 1 - beta_quantile(1 - p, b, a)
    lo, hi = mp.mpf(0), mp.mpf(1)
    for _ in range(45):
        mid = (lo + hi) / 2
        lo, hi = (mid, hi) if beta_cdf(mid, a, b) < p else (lo, mid)
    x = (lo + hi) / 2
    log_b = mp.loggamma(a) + mp.loggamma(b) - mp.loggamma(a + b)
    for _ in range(30):
        c = beta_cdf(x, a, b)
        step = mp.log(c / p) * c / mp.exp((a - 1) * mp.log(x) + (b - 1) * mp.log1p(-x) - log_b)
        x -= step
        if abs(step) < x * mp.mpf("1e-30"):
            return x
    raise ArithmeticError((p, a, b))


def normal_quantile(p):
    p = mp.mpf(p)
    return -mp.sqrt(2) * mp.erfinv(1 - 2 * p) if p > mp.mpf("1e-20") else mp.findroot(
        lambda x: mp.log(mp.erfc(-x / mp.sqrt(2)) / 2) - mp.log(p), -mp.sqrt(-2 * mp.log(p)))


out = {"made": f"mpmath {mp.__version__}, {mp.mp.dps} digits, test/vectors/special.py"}
out["lgamma"] = [[x, f(mp.loggamma(x))] for x in [1e-10, 0.1, 0.5, 0.9, 1.1, 1.5, 1.9, 2.1, 3.7, 9.9, 10, 33.3, 171.6, 1e4, 1e9]]
out["betaCdf"] = [[x, a, b, f(beta_cdf(x, a, b))] for x, a, b in [
    (0.1, 0.5, 0.5), (0.5, 2, 3), (0.3, 1, 1), (1e-5, 1, 20), (0.999, 5, 2), (0.02, 3, 997), (0.5, 500, 500),
    (0.48, 500, 500), (0.001, 10, 9991), (0.0101, 10000, 990000), (0.2, 300.5, 1000.25), (1e-12, 0.3, 4),
    (0.9999, 9990, 2), (0.7, 0.01, 0.02), (0.5, 5000, 5100)]]
out["betaQuantile"] = [[p, a, b, f(beta_quantile(p, a, b))] for p, a, b in [
    (0.025, 1, 20), (0.975, 2, 19), (0.025, 984, 17), (0.975, 985, 16), (0.5, 2, 3), (1e-6, 3, 998), (0.025, 50, 51),
    (0.975, 1001, 99000), (0.005, 5, 1), (0.25, 0.5, 0.5), (1e-9, 40, 61), (0.999, 0.3, 7)]]
out["erf"] = [[x, f(mp.erf(x))] for x in [1e-10, 0.1, 0.5, 0.74, 1, 1.49, 1.51, 2, 3, 5.5, -0.3, -2]]
out["erfc"] = [[x, f(mp.erfc(x))] for x in [1e-10, 0.1, 0.5, 0.74, 0.76, 1, 1.5, 2, 3, 5.5, 10, 20, 26.5, -0.3, -2]]
out["normalCdf"] = [[x, f(mp.ncdf(x))] for x in [-37.5, -20, -8.2, -5, -3, -1.96, -1, -0.1, 0, 0.3, 1, 2.5, 6]]
out["logNormalCdf"] = [[x, f(mp.log(mp.erfc(-mp.mpf(x) / mp.sqrt(2)) / 2))] for x in [-1e4, -100, -40, -8, -5.01, -4.99, -1, 0, 1, 5, 9]]
out["normalQuantile"] = [[p, f(normal_quantile(p))] for p in [
    1e-300, 1e-100, 1e-17, 1e-12, 1e-6, 0.001, 0.025, 0.07, 0.075, 0.076, 0.3, 0.4999, 0.6, 0.92, 0.93, 0.999, 0.999999]]
out["chiSquareTail"] = [[x, k, f(mp.gammainc(mp.mpf(k) / 2, mp.mpf(x) / 2, mp.inf, regularized=True))] for x, k in [
    (0.01, 1), (3.84, 1), (10, 1), (50, 1), (200, 1), (1, 2), (20, 10), (5, 10), (255, 255), (400, 255), (150, 255), (1000, 900), (0.5, 40)]]
with open(os.path.join(os.path.dirname(__file__), "special.json"), "w") as file:
    file.write("{\n" + ",\n".join(f"{json.dumps(k)}: {json.dumps(v)}" for k, v in out.items()) + "\n}\n")
