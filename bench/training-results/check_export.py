# The ONNX checker and ONNX Runtime from Python on what export.mjs kept. Usage: check_export.py FOLDER
import glob
import json
import os
import sys

import numpy as np
import onnx
import onnxruntime

result = {"onnx": onnx.__version__, "onnxruntime": onnxruntime.__version__}
for path in sorted(glob.glob(os.path.join(sys.argv[1], "*.onnx"))):
    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    kept = np.load(path.replace(".onnx", ".npz"))
    (out,) = session.run(None, {session.get_inputs()[0].name: kept["input"]})[:1]
    apart = float(np.abs(out.reshape(kept["logits"].shape) - kept["logits"]).max())
    ops = sorted({node.op_type for node in model.graph.node})
    result[os.path.basename(path)] = {"checker": "passed", "largestDifference": apart, "operators": ops}
print(json.dumps(result, indent=2))
