"""Writes continued_NAME.pt and continued.json: a small network on all training digits, in float64, after 10 steps of an optimizer of torch.optim, prodigyopt,
schedulefree or pytorch_optimizer, and the losses of the 6 points from there on.

Run with torch (2.6 or newer) and these in this directory: python3 continued.py
"""
import gzip
import json
import os

import numpy as np
import prodigyopt
import pytorch_optimizer
import schedulefree
import torch

torch.set_default_dtype(torch.float64)
torch.set_num_threads(1)
here = os.path.dirname(os.path.abspath(__file__))
BEFORE, AFTER, TRAIN = 10, 5, 1297

with gzip.open(os.path.join(here, "../../../dataset/digits.csv.gz"), "rt") as f:
    rows = np.loadtxt(f, delimiter=",")[:TRAIN]
x = torch.tensor((rows[:, :-1] - rows[:, :-1].mean()) / rows[:, :-1].std())
y = torch.tensor(rows[:, -1].astype(np.int64))
MLP = {"hidden": [4]}
CNN = {"name": "cnn", "channels": [2], "dense": 4}
betas = {"beta1": 0.8, "beta2": 0.95}
frozen = [{"dims": [1], "lr_scale": 0}]


def matrices(m):
    for p in m.parameters():
        p.requires_grad = p.dim() == 2
    return [p for p in m.parameters() if p.dim() == 2]


RUNS = {
    "adam": ({"name": "adam", "lr": 0.02, "beta1": 0.8, "beta2": 0.95, "eps": 1e-6, "eps_inside": False},
             lambda m: torch.optim.Adam(m.parameters(), lr=0.02, betas=(0.8, 0.95), eps=1e-6)),
    "adamw": ({"name": "adamw", "lr": 0.02, "beta1": 0.9, "beta2": 0.999, "eps": 1e-8, "eps_inside": False, "weight_decay": 0.1},
              lambda m: torch.optim.AdamW(m.named_parameters(), lr=0.02, weight_decay=0.1)),
    "momentum": ({"name": "heavy-ball", "lr": 0.2, "beta1": 0.8, "moments_steps": BEFORE},
                 lambda m: torch.optim.SGD(m.parameters(), lr=0.2, momentum=0.8)),
    "rmsprop": ({"name": "rmsprop", "lr": 0.01, "beta2": 0.9, "eps": 1e-6, "eps_inside": False},
                lambda m: torch.optim.RMSprop(m.parameters(), lr=0.01, alpha=0.9, eps=1e-6)),
    "groups": ({"name": "adamw", "lr": 0.02, "beta1": 0.9, "beta2": 0.999, "eps": 1e-8, "eps_inside": False, "weight_decay": 0.1,
                "groups": [{"dims": [1], "lr_scale": 0.1, "weight_decay": 0}]},
               lambda m: torch.optim.AdamW([{"params": [p for p in m.parameters() if p.dim() == 1], "lr": 0.002, "weight_decay": 0},
                                            {"params": [p for p in m.parameters() if p.dim() > 1]}], lr=0.02, weight_decay=0.1)),
    "amsgrad": ({"name": "amsgrad", "lr": 0.02, "let": {"beta1": 0.9, "beta2": 0.999, "eps": 1e-8},
                 "state": {"m": "ema(g, beta1)", "v": "ema(g^2, beta2)", "top": "max(top, v)"},
                 "update": "corrected(m) / (sqrt(top / (1 - beta2^(n + 1))) + eps)"},
                lambda m: torch.optim.Adam(m.parameters(), lr=0.02, amsgrad=True)),
    "amsgrad_decay": ({"name": "amsgrad", "preset": "pytorch", "lr": 0.02, "weight_decay": 0.1},
                      lambda m: torch.optim.AdamW(m.parameters(), lr=0.02, amsgrad=True, weight_decay=0.1)),
    "nadam": ({"name": "nadam", "preset": "pytorch", "lr": 0.01}, lambda m: torch.optim.NAdam(m.parameters(), lr=0.01)),
    "nadam_decay": ({"name": "nadam", "preset": "pytorch", "lr": 0.01, "weight_decay": 0.1},
                    lambda m: torch.optim.NAdam(m.parameters(), lr=0.01, weight_decay=0.1, decoupled_weight_decay=True)),
    "radam": ({"name": "radam", "preset": "pytorch", "lr": 0.02}, lambda m: torch.optim.RAdam(m.parameters(), lr=0.02)),
    "radam_decay": ({"name": "radam", "preset": "pytorch", "lr": 0.02, "weight_decay": 0.1},
                    lambda m: torch.optim.RAdam(m.parameters(), lr=0.02, weight_decay=0.1, decoupled_weight_decay=True)),
    "rmsprop_centered": ({"name": "rmsprop", "preset": "pytorch", "lr": 0.002, "momentum": 0.7, "centered": True},
                         lambda m: torch.optim.RMSprop(m.parameters(), lr=0.002, momentum=0.7, centered=True)),
    "adagrad": ({"name": "adagrad", "preset": "pytorch", "lr": 0.05}, lambda m: torch.optim.Adagrad(m.parameters(), lr=0.05)),
    "adadelta": ({"name": "adadelta", "preset": "pytorch", "lr": 5.0}, lambda m: torch.optim.Adadelta(m.parameters(), lr=5.0)),
    "adamax": ({"name": "adamax", "preset": "pytorch", "lr": 0.02}, lambda m: torch.optim.Adamax(m.parameters(), lr=0.02)),
    "rprop": ({"name": "rprop", "preset": "pytorch"}, lambda m: torch.optim.Rprop(m.parameters())),
    "adafactor": ({"name": "adafactor", "preset": "pytorch", "lr": 0.05}, lambda m: torch.optim.Adafactor(m.parameters(), lr=0.05)),
    "adafactor_kernels": ({"name": "adafactor", "preset": "pytorch", "lr": 0.05}, lambda m: torch.optim.Adafactor(m.parameters(), lr=0.05)),
    "adafactor_rows": ({"name": "adafactor", "lr": 0.01, "planes": True}, lambda m: pytorch_optimizer.AdaFactor(m.parameters(), lr=0.01, betas=(None, 0.9999))),
    "muon": ({"name": "muon", "lr": 0.02, "weight_decay": 0, "groups": frozen, "moments_steps": BEFORE},
             lambda m: Float64Muon(matrices(m), lr=0.02, weight_decay=0)),
    "muon_adamw": ({"name": "muon", "lr": 0.02, "weight_decay": 0, "groups": [{"dims": [1], "name": "adamw", "preset": "pytorch", "lr": 0.01}]},
                   lambda m: Several([Float64Muon([p for p in m.parameters() if p.dim() == 2], lr=0.02, weight_decay=0),
                                      torch.optim.AdamW([p for p in m.parameters() if p.dim() == 1], lr=0.01)])),
    "lion": ({"name": "lion", "preset": "pytorch", "lr": 0.005, "weight_decay": 0.1}, lambda m: pytorch_optimizer.Lion(m.parameters(), lr=0.005, weight_decay=0.1)),
    "adabelief": ({"name": "adabelief", "preset": "pytorch", "lr": 0.02, **betas},
                  lambda m: pytorch_optimizer.AdaBelief(m.parameters(), lr=0.02, betas=(0.8, 0.95), rectify=True)),
    "adan": ({"name": "adan", "lr": 0.01, "beta1": 0.9, "beta2": 0.8, "beta3": 0.95, "weight_decay": 0.1},
             lambda m: pytorch_optimizer.Adan(m.parameters(), lr=0.01, betas=(0.9, 0.8, 0.95), weight_decay=0.1)),
    "ademamix": ({"name": "ademamix", "lr": 0.01, **betas, "beta3": 0.99}, lambda m: pytorch_optimizer.AdEMAMix(m.parameters(), lr=0.01, betas=(0.8, 0.95, 0.99))),
    "adopt": ({"name": "adopt", "lr": 0.02, **betas}, lambda m: pytorch_optimizer.ADOPT(
        m.parameters(), lr=0.02, betas=(0.8, 0.95), clip_lambda=lambda step: (step - 1) ** 0.25)),  # as its authors count
    "prodigy": ({"name": "prodigy", "lr": 0.5, "d0": 1e-3, "weight_decay": 0.1},
                lambda m: prodigyopt.Prodigy(m.parameters(), lr=0.5, d0=1e-3, weight_decay=0.1)),
    "schedule_free": ({"name": "schedule-free-adamw", "lr": 0.02, "weight_decay": 0.1},
                      lambda m: training(schedulefree.AdamWScheduleFree(m.parameters(), lr=0.02, weight_decay=0.1))),
}


def training(optimizer):
    optimizer.train()
    return optimizer


class Several:
    """Several optimizers, each of weights of its own."""

    def __init__(self, parts):
        self.parts = parts

    def zero_grad(self):
        for part in self.parts:
            part.zero_grad()

    def step(self):
        for part in self.parts:
            part.step()

    def state_dict(self):
        return [part.state_dict() for part in self.parts]


class Float64Muon(torch.optim.Muon):
    """torch.optim.Muon, whose five steps are in bfloat16, with them in float64; what it remembers is the same."""

    def step(self):
        for group in self.param_groups:
            for p in group["params"]:
                buf = self.state[p].setdefault("momentum_buffer", torch.zeros_like(p))
                buf.lerp_(p.grad, 1 - group["momentum"])
                u = p.grad.lerp(buf, group["momentum"])
                w = u.T if u.size(0) > u.size(1) else u
                w = w / w.norm().clamp(min=1e-7)
                for _ in range(5):
                    a = w @ w.T
                    w = 3.4445 * w + (-4.7750 * a + 2.0315 * a @ a) @ w
                w = w.T if u.size(0) > u.size(1) else w
                p.data.mul_(1 - group["lr"] * group["weight_decay"]).sub_(w, alpha=group["lr"] * max(1, u.size(0) / u.size(1)) ** 0.5)


out = []
for name, (settings, make) in RUNS.items():
    torch.manual_seed(3)
    kernels = name.endswith("_kernels")
    model = torch.nn.Sequential(torch.nn.Linear(64, 4), torch.nn.Tanh(), torch.nn.Linear(4, 10))
    if kernels:  # docs/weights.md
        model = torch.nn.Sequential(torch.nn.Conv2d(1, 2, 3, padding=1), torch.nn.ReLU(), torch.nn.Conv2d(2, 2, 3, padding=1), torch.nn.ReLU(), torch.nn.MaxPool2d(2),
                                    torch.nn.Flatten(), torch.nn.Linear(32, 4), torch.nn.ReLU(), torch.nn.Linear(4, 10))
    optimizer = make(model)
    losses = []
    for n in range(BEFORE + AFTER + 1):
        if n == BEFORE:
            torch.save({"epoch": n, "model_state_dict": model.state_dict(), "optimizer_state_dict": optimizer.state_dict()}, f"continued_{name}.pt")
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(model(x.reshape(-1, 1, 8, 8) if kernels else x), y)
        loss.backward()
        losses.append(loss.item())
        optimizer.step()
    out.append({"file": f"continued_{name}.pt", "optimizer": settings, "model": CNN if kernels else MLP, "losses": losses[BEFORE:]})
with open("continued.json", "w") as f:
    json.dump(out, f, indent=1)
    f.write("\n")
