"""Runs the networks of a folder with onnxruntime and compares with the results in `cases.json`.

`python onnxruntime.py FOLDER`; fails if one differs by more than 1e-5 of the largest result.
"""

import json
import pathlib
import sys

# The folder of this file holds a module of the same name: itself.
sys.path.pop(0)

import numpy as np
import onnxruntime

FOLDER = pathlib.Path(sys.argv[1])
largest, faults = ("none", 0.0), []
cases = json.loads((FOLDER / "cases.json").read_text())
for case in cases:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    try:
        path = str(FOLDER / case["file"])
        session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        x = np.asarray(case["x"], np.float32).reshape(-1, *case["shape"])
        expected = np.asarray(case["y"], np.float64)
        got = session.run(["output"], {"input": x})[0].reshape(expected.shape)
    except Exception as error:
        faults.append(f"{case['name']}: {error}")
        continue
    same = got.astype(np.float64) == expected
    difference = np.where(same, 0.0, np.abs(np.where(same, 0.0, got - expected)))
    finite = np.abs(expected[np.isfinite(expected)])
    relative = float(difference.max() / max(1.0, finite.max(initial=0.0)))
    if not relative <= 1e-5:
        faults.append(f"{case['name']}: {relative}")
    if relative > largest[1]:
        largest = (case["name"], relative)
print("\n".join(faults))
print(f"{len(cases)} files, largest difference {largest[1]:.2e} ({largest[0]})")
sys.exit(bool(faults))
