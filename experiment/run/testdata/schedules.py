"""Writes schedules.json and schedules_weights.safetensors: the loss of a small network on all training digits, in float64, over 25 steps of
torch.optim's optimizers under torch.optim.lr_scheduler's schedules, clipped by torch.nn.utils, and where PyTorch has no such thing by the formula itself.

Run with PyTorch 2 in this directory: python3 schedules.py
"""
import gzip
import json
import os
import struct

import numpy as np
import torch
from torch.optim import lr_scheduler as s

torch.set_default_dtype(torch.float64)
torch.manual_seed(3)
torch.set_num_threads(1)
here = os.path.dirname(os.path.abspath(__file__))
STEPS, TRAIN = 25, 1297

with gzip.open(os.path.join(here, "../../../dataset/digits.csv.gz"), "rt") as f:
    rows = np.loadtxt(f, delimiter=",")[:TRAIN]
x = torch.tensor((rows[:, :-1] - rows[:, :-1].mean()) / rows[:, :-1].std())
y = torch.tensor(rows[:, -1].astype(np.int64))
model = torch.nn.Sequential(torch.nn.Linear(64, 8), torch.nn.Tanh(), torch.nn.Linear(8, 10))
start = {k: v.clone() for k, v in model.state_dict().items()}


def loss_of():
    return torch.nn.functional.cross_entropy(model(x), y)


OPTIMIZERS = {
    "adam": ({"lr": 0.02, "beta1": 0.8, "beta2": 0.95, "eps": 1e-6, "eps_inside": False},
             lambda p, **k: torch.optim.Adam(p, lr=0.02, betas=(0.8, 0.95), eps=1e-6, **k)),
    "adamw": ({"lr": 0.02, "beta1": 0.8, "beta2": 0.95, "eps": 1e-6, "eps_inside": False, "weight_decay": 0.1},
              lambda p: torch.optim.AdamW(p, lr=0.02, betas=(0.8, 0.95), eps=1e-6, weight_decay=0.1)),
    "heavy-ball": ({"lr": 0.2, "beta1": 0.8}, lambda p, **k: torch.optim.SGD(p, lr=0.2, momentum=0.8, **k)),
}


def factor(f):
    return lambda o: s.LambdaLR(o, f)


def warm(w, rest):
    """PyTorch's warmup from 1/w, and then the schedule."""
    return lambda o: s.SequentialLR(o, [s.LinearLR(o, 1 / w, total_iters=w - 1) if w > 1 else s.ConstantLR(o), rest(o)], [w])


FILE = [0.1, 1, 0.5, 0.7, 0, 0.3]
SCHEDULES = [
    ("warmup", {"warmup": 5}, warm(5, lambda o: s.ConstantLR(o, factor=1))),
    ("linear", {"shape": "linear", "steps": 20, "final": 0.1}, lambda o: s.LinearLR(o, 1, 0.1, total_iters=20)),
    ("cosine", {"shape": "cosine"}, lambda o: s.CosineAnnealingLR(o, T_max=STEPS)),
    ("cosine to a tenth behind a warmup", {"shape": "cosine", "warmup": 4, "final": 0.1},
     lambda o: warm(4, lambda o: s.CosineAnnealingLR(o, T_max=STEPS - 4, eta_min=0.1 * o.param_groups[0]["initial_lr"]))(o)),
    ("step", {"shape": "step", "every": 7, "factor": 0.5}, lambda o: s.StepLR(o, 7, 0.5)),
    ("step, and a warmup", {"shape": "step", "warmup": 4, "every": 6, "factor": 0.5},
     lambda o: s.ChainedScheduler([s.LinearLR(o, 1 / 4, total_iters=3), s.StepLR(o, 6, 0.5)])),
    ("warmup, stable, decay", {"shape": "wsd", "warmup": 3, "stable": 8, "final": 0.05},
     factor(lambda t: (t + 1) / 3 if t < 3 else 1 if t < 11 else 1 - 0.95 * (t - 11) / (STEPS - 11))),
    ("file", {"shape": "file", "path": "FILE"}, factor(lambda t: FILE[min(t, len(FILE) - 1)])),
]


def run(make, schedule=None, before=None, closure=None):
    model.load_state_dict(start)
    optimizer = make(list(model.parameters()))
    plan = schedule(optimizer) if schedule else None
    losses = []
    for _ in range(STEPS):
        optimizer.zero_grad()
        loss = loss_of()
        losses.append(loss.item())
        loss.backward()
        if closure:
            closure()
        if before:
            before(list(model.parameters()))
        optimizer.step()
        if plan:
            plan.step()
    return losses + [loss_of().item()]


def clip_exactly(c):
    def clip(params):
        norm = torch.sqrt(sum((p.grad ** 2).sum() for p in params))
        for p in params:
            p.grad *= min(1.0, c / norm.item())
    return clip


def sam(rho):
    """The gradient at theta + rho g/|g|, which is known at theta."""
    def ascend():
        params = list(model.parameters())
        norm = torch.sqrt(sum((p.grad ** 2).sum() for p in params))
        ways = [rho * p.grad / norm for p in params]
        with torch.no_grad():
            for p, w in zip(params, ways):
                p += w
        model.zero_grad()
        loss_of().backward()
        with torch.no_grad():
            for p, w in zip(params, ways):
                p -= w
    return ascend


cases = []


def add(name, optimizer, settings, losses, schedule=None, pytorch=False):
    cases.append({"name": f"{optimizer}, {name}", "optimizer": {"name": optimizer, **OPTIMIZERS[optimizer][0], **settings},
                  "schedule": schedule or {}, "pytorch": pytorch, "loss": losses})


cosine = SCHEDULES[2]
for name, (settings, make) in OPTIMIZERS.items():
    for title, keys, schedule in SCHEDULES:
        add(title, name, {}, run(make, schedule), keys)
    norm = 0.5 if name == "heavy-ball" else 0.9
    for title, keys, before, pytorch in [
        ("clipped norm", {"clip_norm": norm}, clip_exactly(norm), False),
        ("clipped norm as PyTorch has it", {"clip_norm": norm}, lambda p: torch.nn.utils.clip_grad_norm_(p, norm), True),
        ("clipped value", {"clip_value": 0.02}, lambda p: torch.nn.utils.clip_grad_value_(p, 0.02), False),
    ]:
        add(title, name, keys, run(make, None, before), None, pytorch)
        add(title + ", cosine", name, keys, run(make, cosine[2], before), cosine[1], pytorch)
    both = lambda p: (torch.nn.utils.clip_grad_value_(p, 0.05), clip_exactly(0.3)(p))
    add("clipped value and norm", name, {"clip_value": 0.05, "clip_norm": 0.3}, run(make, None, both))
    add("SAM", name, {"sam": 0.05}, run(make, None, None, sam(0.05)))
    add("SAM, clipped norm, cosine", name, {"sam": 0.05, "clip_norm": 0.4}, run(make, cosine[2], clip_exactly(0.4), sam(0.05)), cosine[1])
    if name != "adamw":
        l2 = lambda p: make(p, weight_decay=0.05)
        add("L2", name, {"l2": 0.05}, run(l2))
        add("L2, clipped norm", name, {"l2": 0.05, "clip_norm": norm}, run(l2, None, clip_exactly(norm)))

with open(os.path.join(here, "schedules.json"), "w") as f:
    lines = ",\n".join(json.dumps(c) for c in cases)
    f.write(f'{{"torch": "{torch.__version__}", "file": {FILE}, "cases": [\n{lines}\n]}}\n')
header, data = {}, b""
for key, t in start.items():
    raw = t.numpy().astype("<f8").tobytes()
    header[key] = {"dtype": "F64", "shape": list(t.shape), "data_offsets": [len(data), len(data) + len(raw)]}
    data += raw
text = json.dumps(header).encode()
text += b" " * (-len(text) % 8)
with open(os.path.join(here, "schedules_weights.safetensors"), "wb") as f:
    f.write(struct.pack("<Q", len(text)) + text + data)
