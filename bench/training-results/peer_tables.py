# scikit-learn on the rows that tables.mjs encoded. Usage: [SEEDS=3] peer_tables.py ROWS.npz [adult|german]; prints JSON.
import json
import os
import sys
import time
import warnings

import numpy as np
import sklearn
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

warnings.filterwarnings("ignore")
rows = np.load(sys.argv[1])
tasks = {}
for key in rows.files:
    name, part, which, what = key.split("_")
    tasks.setdefault(name, {}).setdefault(int(part), {})[which + what] = rows[key]

models = {
    "logistic": lambda seed: LogisticRegression(max_iter=2000),
    "mlp, early stopping": lambda seed: MLPClassifier((64, 64), early_stopping=True, random_state=seed),
    "mlp": lambda seed: MLPClassifier((64, 64), random_state=seed),
}
result = {"version": sklearn.__version__}
for name, parts in tasks.items():
    if name not in (sys.argv[2:] or tasks):
        continue
    for kind, make in models.items():
        accuracies = []
        start = time.perf_counter()
        seeds = [0] if kind == "logistic" else range(int(os.environ.get("SEEDS", "3")))
        for seed in seeds:
            right = of = 0
            for p in parts.values():
                model = make_pipeline(StandardScaler(), make(seed)).fit(p["trainx"], p["trainy"])
                right += int((model.predict(p["testx"]) == p["testy"]).sum())
                of += len(p["testy"])
            accuracies.append(right / of)
        seconds = (time.perf_counter() - start) / (len(seeds) * len(parts))
        result[f"{name} {kind}"] = {"accuracies": accuracies, "secondsPerTraining": seconds}
        print(name, kind, accuracies, file=sys.stderr)
print(json.dumps(result))
