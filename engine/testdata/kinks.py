#!/usr/bin/python3
"""Writes kinks.json: what PyTorch takes for derivatives where there are none, and its values at the edges of float64.

Run in this directory; needs torch (checked with 1.13). The derivative is that of sum(w * f(x)) with w = 1, 2, 3, ..
"""
import json
import math
import torch

torch.set_default_dtype(torch.float64)
INF, NAN = math.inf, math.nan

CASES = {
    "relu": (lambda x: torch.relu(x), [[-1.0, 0.0, -0.0, 2.0]]),
    "abs": (lambda x: torch.abs(x), [[-1.0, 0.0, -0.0, 2.0]]),
    "sign": (lambda x: torch.sign(x), [[-1.0, 0.0, 2.0]]),
    "max": (lambda x, y: torch.maximum(x, y), [[1.0, 2.0, 3.0, 0.0], [1.0, 3.0, 2.0, -0.0]]),
    "min": (lambda x, y: torch.minimum(x, y), [[1.0, 2.0, 3.0, 0.0], [1.0, 3.0, 2.0, -0.0]]),
    "max of infinities": (lambda x, y: torch.maximum(x, y), [[INF, -INF, INF], [INF, -INF, 1.0]]),
    "amax of all": (lambda x: torch.amax(x).reshape(1), [[3.0, 1.0, 3.0, 2.0, 3.0]]),
    "amax of rows": (lambda x: torch.amax(x.reshape(3, 3), 1), [[1.0, 1.0, 1.0, 0.0, 2.0, 2.0, 5.0, 4.0, 3.0]]),
    "amax of columns": (lambda x: torch.amax(x.reshape(3, 3), 0), [[1.0, 1.0, 1.0, 0.0, 2.0, 2.0, 1.0, 2.0, 3.0]]),
    "max pool": (lambda x: torch.nn.functional.max_pool2d(x.reshape(1, 1, 4, 4), 2).flatten(),
                 [[1.0, 1.0, 0.0, 2.0, 1.0, 1.0, 2.0, 2.0, 3.0, 0.0, 5.0, 5.0, 0.0, 3.0, 5.0, 4.0]]),
    "overlapping max pool": (lambda x: torch.nn.functional.max_pool2d(x.reshape(1, 1, 4, 4), 3, 1, 1).flatten(),
                             [[1.0, 1.0, 0.0, 2.0, 1.0, 1.0, 2.0, 2.0, 3.0, 0.0, 5.0, 5.0, 0.0, 3.0, 5.0, 4.0]]),
    "select": (lambda x, y: torch.where(x > y, x, y), [[1.0, 2.0, 3.0], [1.0, 3.0, 2.0]]),
    "softmax of large numbers": (lambda x: torch.softmax(x, 0), [[1000.0, 999.0, -1000.0]]),
    "logsumexp of large numbers": (lambda x: torch.logsumexp(x, 0).reshape(1), [[1000.0, 1000.0, -1000.0]]),
    "gelu": (lambda x: torch.nn.functional.gelu(x), [[-40.0, -1.0, 0.0, 1.0, 40.0]]),
    "silu": (lambda x: torch.nn.functional.silu(x), [[-40.0, -1.0, 0.0, 1.0, 40.0]]),
    "sigmoid": (lambda x: torch.sigmoid(x), [[-800.0, -40.0, 0.0, 40.0, 800.0]]),
    "tanh": (lambda x: torch.tanh(x), [[-800.0, -1e-9, 0.0, 1e-9, 800.0]]),
    "cube": (lambda x: torch.pow(x, 3), [[-2.0, 0.0, 2.0]]),
    "power 1.5": (lambda x: torch.pow(x, 1.5), [[0.0, 2.0]]),
    "log1p": (lambda x: torch.log1p(x), [[-1e-12, 0.0, 1e-12, 1.0]]),
}


def plain(values):
    return [str(v) if not math.isfinite(v) else v for v in values]


golden = []
for name, (f, xs) in CASES.items():
    xs = [torch.tensor(x, requires_grad=True) for x in xs]
    y = f(*xs)
    w = torch.arange(1.0, len(y) + 1)
    loss = (y * w).sum()
    g = torch.autograd.grad(loss, xs) if loss.requires_grad else [torch.zeros_like(x) for x in xs]
    golden.append({
        "name": name,
        "x": [plain(x.tolist()) for x in xs],
        "y": plain(y.tolist()),
        "grad": [plain(d.tolist()) for d in g],
    })

with open("kinks.json", "w") as out:
    out.write("[\n" + ",\n".join(json.dumps(c) for c in golden) + "\n]\n")
