#!/usr/bin/env python3
"""Compares the ResNet-50 for small images that PyTorch exports as ONNX with the one that is built in: gradient, and gradient with Hessian-vector product.

Both run turn by turn in one process, in float32 and from the same weights, and the fastest turn of each counts.

    python3 scripts/onnx_speed.py [examples [turns]]     (default: 8 examples, 5 turns; needs torch, onnx, onnxscript and go)
"""
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import torch

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "python/src"))
import shadowflow  # noqa: E402

for block in re.findall(r"```python\n(.*?)```", (ROOT / "docs/weights.md").read_text(), re.S):
    exec(block)


def main():
    examples, turns = (sys.argv[1:] + ["8", "5"][len(sys.argv) - 1:])[:2]
    torch.manual_seed(0)
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "resnet50.onnx")
        shadowflow.export_onnx(ResNet([3, 4, 6, 3], True), torch.randn(2, 3, 32, 32), path)  # noqa: F821
        env = dict(os.environ, SHADOWFLOW_ONNX_RESNET50=path, SHADOWFLOW_EXAMPLES=examples)
        subprocess.run(["go", "test", "./nn/imported", "-run", "^$", "-bench", "ResNet50", "-benchtime", f"{turns}x", "-timeout", "60m"], cwd=ROOT, env=env, check=True)


if __name__ == "__main__":
    main()
