"""The start of the runs behind the theory's numbers on the digits: the weights, and the state equation of order 1 by RK4 in NumPy.

    python theory.py ../../../dataset/digits.csv.gz

The weights are what torch.nn.Linear of seed 0 begins with in float64; the pixels of the first 1,297 digits are standardized by column, with the deviation of n - 1.
With them the theory's main and realized drives come out to every printed digit, and the loss at step 100.
"""

from __future__ import annotations

import gzip
import json
import sys

import numpy as np
import torch
from safetensors.numpy import save_file

sizes = [64, 64, 64, 10]
table = np.loadtxt(gzip.open(sys.argv[1]), delimiter=",")
x, y = table[:1297, :64], table[:1297, 64].astype(np.int64)
deviation = x.std(0, ddof=1)
deviation[deviation == 0] = 1
x = (x - x.mean(0)) / deviation

torch.manual_seed(0)
layers = [torch.nn.Linear(a, b, dtype=torch.float64) for a, b in zip(sizes, sizes[1:])]
parts = [p.detach().numpy() for layer in layers for p in (layer.weight, layer.bias)]
names = [f"{i}.{kind}" for i in (0, 2, 4) for kind in ("weight", "bias")]
save_file(dict(zip(names, parts)), "theory_weights.safetensors")

cuts = np.cumsum([p.size for p in parts])[:-1]


def gradient(theta: np.ndarray) -> np.ndarray:
    p = [a.reshape(b.shape) for a, b in zip(np.split(theta, cuts), parts)]
    h = [x]
    for i in range(3):
        a = h[-1] @ p[2 * i].T + p[2 * i + 1]
        h.append(np.tanh(a) if i < 2 else a)
    e = np.exp(h[-1] - h[-1].max(1, keepdims=True))
    d = e / e.sum(1, keepdims=True)
    d[np.arange(len(y)), y] -= 1
    d /= len(y)
    out = [np.zeros(0)] * 6
    for i in (2, 1, 0):
        out[2 * i], out[2 * i + 1] = d.T @ h[i], d.sum(0)
        d = d @ p[2 * i] * (1 - h[i] ** 2)
    return np.concatenate([g.ravel() for g in out])


b1, b2, eps, lr, start = 0.9, 0.999, 1e-8, 1e-3, 10


def update(m: np.ndarray, v: np.ndarray, n: float) -> np.ndarray:
    return m / (1 - b1**n) / np.sqrt(np.maximum(v, 0) / (1 - b2**n) + eps)


def field(t: float, z: np.ndarray) -> np.ndarray:
    theta, m, v = z
    g = gradient(theta)
    return np.array([-lr * update(m, v, t), -np.log(b1) * (g - m), -np.log(b2) * (g * g - v)])


theta = np.concatenate([p.ravel() for p in parts])
z = np.array([theta, 0 * theta, 0 * theta])
iterates, states = [theta], [z]
for n in range(1, 101):
    theta, m, v = z
    g = gradient(theta)
    m, v = b1 * m + (1 - b1) * g, b2 * v + (1 - b2) * g * g
    z = np.array([theta - lr * update(m, v, n), m, v])
    iterates.append(z[0])
    states.append(z)

z, distances = states[start], {}
for n in range(start, 100):
    k1 = field(n, z)
    k2 = field(n + 0.5, z + k1 / 2)
    k3 = field(n + 0.5, z + k2 / 2)
    k4 = field(n + 1, z + k3)
    z = z + (k1 + 2 * k2 + 2 * k3 + k4) / 6
    if n + 1 in (25, 50, 75, 100):
        distances[str(n + 1)] = np.linalg.norm(z[0] - iterates[n + 1]) / np.linalg.norm(iterates[n + 1] - iterates[start])
json.dump({"state-1.relative_distance": distances}, open("theory.json", "w"), indent=1)
