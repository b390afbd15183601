"""Writes the files of torch.save that the tests read, and expected.json with what they hold.

Run with python3 and torch (2.6 or newer) in this directory.
"""
import argparse
import collections
import datetime
import json
import pathlib

import numpy as np
import torch
from torch import nn

torch.manual_seed(1)

def tensors():
    base = torch.arange(24, dtype=torch.float64).reshape(2, 3, 4) / 7
    return {
        "float32": torch.randn(2, 3),
        "float64": base,
        "transposed": base.permute(2, 0, 1),
        "sliced": base[:, 1:, ::2],
        "expanded": torch.tensor([[1.5], [2.5]]).expand(2, 3),
        "bfloat16": torch.randn(5).to(torch.bfloat16),
        "half": torch.tensor([1.0, -2.5, 6e-8, 65504.0], dtype=torch.float16),
        "count": torch.tensor(7),
        "mask": torch.tensor([[True, False], [False, True]]),
        "small": torch.tensor([-3, 4], dtype=torch.int8),
        "empty": torch.zeros(0, 3),
        "negative": torch._neg_view(torch.arange(6, dtype=torch.float64).reshape(2, 3).T / 7),
        "imaginary": torch.complex(torch.tensor([0.5, 1.5]), torch.tensor([2.0, -3.0])).conj().imag,
        "parameter": nn.Parameter(torch.tensor([[0.25, -1.0]])),
    }

def values(t):
    t = t.detach()
    return t.double().flatten().tolist() if t.is_floating_point() else t.long().flatten().tolist()

expected = {"tensors": {k: {"shape": list(t.shape), "values": values(t)} for k, t in tensors().items()}, "optimizers": {}}
torch.manual_seed(1)
torch.save(tensors(), "zip.pt")
torch.manual_seed(1)
torch.save(tensors(), "older.pt", _use_new_zipfile_serialization=False)
torch.manual_seed(1)
torch.save(tensors(), "protocol4.pt", pickle_protocol=4)

net = nn.Sequential(nn.Linear(3, 2), nn.Tanh(), nn.Linear(2, 2)).double()
torch.save(net, "module.pt")
torch.save({"weight": torch.ones(3).to(torch.float8_e4m3fn)}, "float8.pt")
torch.save({"weight": torch.ones(3).to(torch.uint16)}, "uint16.pt")
torch.save({"weight": torch._neg_view(torch.arange(3))}, "negative.pt")
torch.save({"epoch": 3, "metric": complex(1, 2)}, "complex.pt")
torch.save(torch.ones(3), "tensor.pt")
torch.save({"epoch": 3, "loss": 0.5}, "numbers.pt")

x, y = torch.randn(6, 3, dtype=torch.float64), torch.randint(0, 2, (6,))
for name, make in {
    "adam": lambda p: torch.optim.Adam(p, lr=0.01, betas=(0.8, 0.95)),
    "amsgrad": lambda p: torch.optim.AdamW(p, lr=0.01, amsgrad=True),
    "sgd": lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9),
    "plain": lambda p: torch.optim.SGD(p, lr=0.1),
    "rmsprop": lambda p: torch.optim.RMSprop(p, lr=0.01, momentum=0.9, centered=True),
}.items():
    optimizer = make(net.parameters())
    for _ in range(3):
        optimizer.zero_grad()
        nn.functional.cross_entropy(net(x), y).backward()
        optimizer.step()
    torch.save(optimizer.state_dict(), f"{name}.pt")
    expected["optimizers"][name] = [
        {k: values(t) if torch.is_tensor(t) else t for k, t in state.items() if t is not None}
        for state in (optimizer.state[p] for p in net.parameters())
    ]

named = torch.optim.Adam(net.named_parameters(), lr=0.01)
nn.functional.cross_entropy(net(x), y).backward()
named.step()
torch.save({"epoch": 1, "model_state_dict": net.state_dict(), "optimizer_state_dict": named.state_dict()}, "training.pt")
torch.save({
    "epoch": np.int64(3), "best": np.float64(0.5), "curve": np.linspace(0, 1, 3), "args": argparse.Namespace(out=pathlib.Path("runs"), lr=np.float32(0.1)),
    "when": datetime.datetime(2026, 1, 1), "callbacks": collections.defaultdict(list, {"a": [1]}), "seen": {1, 2}, "device": torch.device("cpu"), "dtype": torch.float64,
    "phase": complex(1, 2), "state_dict": {f"model.{name}": v for name, v in net.state_dict().items()}, "optimizer_states": [named.state_dict()],
}, "objects.pt")
torch.save({"net": net, "optimizer": named.state_dict()}, "beside_module.pt")
expected["names"] = [name for name, _ in net.named_parameters()]
with open("expected.json", "w") as f:
    json.dump(expected, f, indent=1)
    f.write("\n")
