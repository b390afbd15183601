"""Writes probe_data.npz, probe_weights.safetensors and probe_golden.safetensors: a small CNN at a point, and what PyTorch
finds there in float64: loss, gradient, H F and h C of Adam with its memory full (theory of "On the Implicit Bias of Adam").

Run with PyTorch 1.13: python3 probe.py
"""
import json
import os
import struct

import numpy as np
import torch

H, BETA1, BETA2, EPS = 1e-3, 0.9, 0.99, 1e-6
here = os.path.dirname(os.path.abspath(__file__))


def save(name, tensors):
    header, data = {}, b""
    for key, t in tensors.items():
        raw = np.ascontiguousarray(t.detach().numpy().astype("<f8")).tobytes()
        header[key] = {"dtype": "F64", "shape": list(t.shape), "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(os.path.join(here, name), "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text + data)


torch.manual_seed(1)
torch.set_default_dtype(torch.float64)
n = 7
x = np.random.RandomState(0).randn(n, 2, 6, 4)
y = np.arange(n) % 3
np.savez(os.path.join(here, "probe_data.npz"), X=x, y=y)

nn = torch.nn
model = nn.Sequential(
    nn.Conv2d(2, 2, 3, padding="same"), nn.ReLU(), nn.Conv2d(2, 2, 3, padding="same"), nn.ReLU(), nn.MaxPool2d(2),
    nn.Flatten(), nn.Linear(12, 4), nn.ReLU(), nn.Linear(4, 3))
names = [name for name, _ in model.named_parameters()]
params = list(model.parameters())
loss = nn.functional.cross_entropy(model(torch.tensor(x)), torch.tensor(y))
grad = torch.autograd.grad(loss, params, create_graph=True)
norm = sum(torch.sqrt(g * g + EPS).sum() for g in grad)  # its gradient is H F
hf = torch.autograd.grad(norm, params)
c1, c2 = (1 + BETA1) / (1 - BETA1), (1 + BETA2) / (1 - BETA2)
bias = [H / 2 * (c1 - c2 + c2 * EPS / (g * g + EPS)) * q / torch.sqrt(g * g + EPS) for g, q in zip(grad, hf)]

save("probe_weights.safetensors", dict(model.state_dict()))
out = {"loss": loss.reshape(1), "norm": norm.reshape(1)}
for prefix, vectors in (("grad.", grad), ("hf.", hf), ("bias.", bias)):
    out.update({prefix + name: v for name, v in zip(names, vectors)})
save("probe_golden.safetensors", out)
