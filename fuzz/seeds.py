"""Writes the networks of the operators' tests as seeds of the fuzz target `onnx`."""

import base64
import json
import pathlib

here = pathlib.Path(__file__).parent
cases = json.loads((here / "../crates/graph/tests/cases/cases.json").read_text())
folder = here / "corpus" / "onnx"
folder.mkdir(parents=True, exist_ok=True)
for place, case in enumerate(cases):
    (folder / f"{place:03}.onnx").write_bytes(base64.b64decode(case["model"]))
print(len(cases), "networks in", folder)
