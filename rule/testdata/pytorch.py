"""Writes pytorch.json: iterates of PyTorch's optimizers on a small fixed sequence of gradients.

Run with python3 and torch (1.13 or newer) in this directory. The gradients depend on theta, grad = A theta - b + sin(theta), so that a
wrong step shows in all later ones.
"""
import json
import math

import torch

torch.set_default_dtype(torch.float64)
A = torch.tensor([[1.0, 0.3, 0.0], [0.3, 2.0, -0.5], [0.0, -0.5, 0.7]])
B = torch.tensor([0.4, -1.0, 0.2])
START = [1.0, -0.5, 2.0]


def gradient(theta):
    return A @ theta - B + torch.sin(theta)


def run(make, steps):
    theta = torch.tensor(START, requires_grad=True)
    optimizer = make([theta])
    rows = []
    for _ in range(steps):
        theta.grad = gradient(theta.detach())
        optimizer.step()
        rows.append(theta.detach().tolist())
    return theta, optimizer, rows


def entry(name, values, make, steps=20):
    return {"optimizer": name, "set": values, "theta": run(make, steps)[2]}


runs = [
    entry("gd", {"lr": "0.05"}, lambda p: torch.optim.SGD(p, lr=0.05)),
    entry("heavy-ball", {"lr": "0.02", "beta1": "0.8"}, lambda p: torch.optim.SGD(p, lr=0.02, momentum=0.8)),
    entry("nesterov", {"lr": "0.02", "beta1": "0.8"}, lambda p: torch.optim.SGD(p, lr=0.02, momentum=0.8, nesterov=True)),
    entry(
        "rmsprop",
        {"lr": "0.01", "beta2": "0.95", "eps": "1e-3", "eps_inside": "false"},
        lambda p: torch.optim.RMSprop(p, lr=0.01, alpha=0.95, eps=1e-3),
    ),
    entry(
        "adam",
        {"lr": "0.01", "beta1": "0.8", "beta2": "0.95", "eps": "1e-3", "eps_inside": "false"},
        lambda p: torch.optim.Adam(p, lr=0.01, betas=(0.8, 0.95), eps=1e-3),
    ),
    entry(
        "adamw",
        {"lr": "0.01", "beta1": "0.8", "beta2": "0.95", "eps": "1e-3", "weight_decay": "0.1", "eps_inside": "false"},
        lambda p: torch.optim.AdamW(p, lr=0.01, betas=(0.8, 0.95), eps=1e-3, weight_decay=0.1),
    ),
]

# NAdam: PyTorch lets its momentum rise from beta1/2 to beta1 over the steps, and corrects the two terms of the numerator differently. With
# a large momentum_decay the rise is over at once, and with the memory full both corrections are 1: from then on the definitions agree.
beta1, beta2, warm = 0.5, 0.6, 120
theta, optimizer, rows = run(
    lambda p: torch.optim.NAdam(p, lr=0.01, betas=(beta1, beta2), eps=1e-3, momentum_decay=1e6), warm
)
state = optimizer.state[theta]
warm_theta = rows[-1]
warm_state = [state["exp_avg"].tolist(), state["exp_avg_sq"].tolist()]
after = []
for _ in range(20):
    theta.grad = gradient(theta.detach())
    optimizer.step()
    after.append(theta.detach().tolist())
runs.append(
    {
        "optimizer": "nadam",
        "set": {"lr": "0.01", "beta1": str(beta1), "beta2": str(beta2), "eps": "1e-3", "eps_inside": "false"},
        "steps": warm,
        "start": warm_theta,
        "state": warm_state,
        "theta": after,
    }
)

with open("pytorch.json", "w") as f:
    json.dump({"torch": torch.__version__, "A": A.tolist(), "b": B.tolist(), "start": START, "runs": runs}, f, indent=1)
