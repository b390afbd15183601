"""Writes continued_NAME.pt and continued.json: a small network on all training digits, in float64, after 10 steps of an optimizer of PyTorch's,
and the losses of the 6 points from there on.

Run with python3 and torch (2.6 or newer) in this directory.
"""
import gzip
import json
import os

import numpy as np
import torch

torch.set_default_dtype(torch.float64)
torch.set_num_threads(1)
here = os.path.dirname(os.path.abspath(__file__))
BEFORE, AFTER, TRAIN = 10, 5, 1297

with gzip.open(os.path.join(here, "../../../dataset/digits.csv.gz"), "rt") as f:
    rows = np.loadtxt(f, delimiter=",")[:TRAIN]
x = torch.tensor((rows[:, :-1] - rows[:, :-1].mean()) / rows[:, :-1].std())
y = torch.tensor(rows[:, -1].astype(np.int64))

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
}
out = []
for name, (settings, make) in RUNS.items():
    torch.manual_seed(3)
    model = torch.nn.Sequential(torch.nn.Linear(64, 4), torch.nn.Tanh(), torch.nn.Linear(4, 10))
    optimizer = make(model)
    losses = []
    for n in range(BEFORE + AFTER + 1):
        if n == BEFORE:
            torch.save({"epoch": n, "model_state_dict": model.state_dict(), "optimizer_state_dict": optimizer.state_dict()}, f"continued_{name}.pt")
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(model(x), y)
        loss.backward()
        losses.append(loss.item())
        optimizer.step()
    out.append({"file": f"continued_{name}.pt", "optimizer": settings, "losses": losses[BEFORE:]})
with open("continued.json", "w") as f:
    json.dump(out, f, indent=1)
    f.write("\n")
