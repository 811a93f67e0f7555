import json, onnx, onnx.defs as d
v={}
for s in d.get_all_schemas_with_history():
    if s.domain=='' : v[s.name]=min(v.get(s.name,99), s.since_version)
ops=sorted(k for k,n in v.items() if n<=22)
print(json.dumps({"command":"pip install onnx==%s; python test/vectors/onnx-operators.py"%onnx.__version__,"onnx":onnx.__version__,"opset":22,"operators":ops,"newer":{k:v[k] for k in sorted(v) if v[k]>22}},indent=1))
