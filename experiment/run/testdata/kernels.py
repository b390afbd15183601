"""Writes kernels.json and kernels_weights.safetensors: the loss of a small convolutional network on all training digits, in float64, over 25 steps of
optimizers that look at the shapes of weights, of torch.optim and optax, and where none has one for kernels, of its formula (rule/definitions says
how a kernel counts).

Run with PyTorch 2, optax and jax in this directory: python3 kernels.py
"""
import gzip
import json
import os

import jax
import numpy as np
import optax
import torch
from safetensors.torch import save_file

jax.config.update("jax_enable_x64", True)
torch.set_default_dtype(torch.float64)
torch.manual_seed(2)
torch.set_num_threads(1)
here = os.path.dirname(os.path.abspath(__file__))
STEPS, TRAIN = 25, 1297

with gzip.open(os.path.join(here, "../../../dataset/digits.csv.gz"), "rt") as f:
    rows = np.loadtxt(f, delimiter=",")[:TRAIN]
x = torch.tensor((rows[:, :-1] - rows[:, :-1].mean()) / rows[:, :-1].std()).reshape(-1, 1, 8, 8)
y = torch.tensor(rows[:, -1].astype(np.int64))


def cnn(inputs, channels, side, dense):  # docs/weights.md
    layers = []
    for c in channels:
        layers += [torch.nn.Conv2d(inputs, c, 3, padding="same"), torch.nn.ReLU(), torch.nn.Conv2d(c, c, 3, padding="same"), torch.nn.ReLU(), torch.nn.MaxPool2d(2)]
        inputs, side = c, side // 2
    return torch.nn.Sequential(*layers, torch.nn.Flatten(), torch.nn.Linear(inputs * side * side, dense), torch.nn.ReLU(), torch.nn.Linear(dense, 10))


model = cnn(1, [3, 4], 8, 8)
start = {k: v.clone() for k, v in model.state_dict().items()}
save_file(start, os.path.join(here, "kernels_weights.safetensors"))
cases = []


def record(optimizer, title, settings, make):
    """The losses where make(params) returns what takes a step by the gradients, given the step's number."""
    model.load_state_dict(start)
    params, losses = list(model.parameters()), []
    step = make(params)
    for n in range(STEPS + 1):
        model.zero_grad()
        loss = torch.nn.functional.cross_entropy(model(x), y)
        losses.append(loss.item())
        loss.backward()
        with torch.no_grad():
            step(n)
    cases.append({"name": f"{optimizer}, {title}", "optimizer": {"name": optimizer, **settings}, "loss": losses})


def by_torch(optimizer, title, settings, make):
    def made(params):
        inner = make(params)
        return lambda n: inner.step()
    record(optimizer, title, settings, made)


def by_optax(optimizer, title, settings, transform):
    def made(params):
        state = [transform.init([jax.numpy.asarray(p.detach().numpy()) for p in params])]

        def step(n):
            grads = [jax.numpy.asarray(p.grad.numpy()) for p in params]
            updates, state[0] = transform.update(grads, state[0], [jax.numpy.asarray(p.detach().numpy()) for p in params])
            for p, u in zip(params, updates):
                p += torch.tensor(np.asarray(u))
        return step
    record(optimizer, title, settings, made)


def by_formula(optimizer, title, settings, formula, view=lambda v: (v, lambda w: w)):
    """formula(p, g, n, memory) returns the next p; view(v) is a weight as the formula sees it, and the way back."""
    def made(params):
        memories = [{} for _ in params]

        def step(n):
            for p, memory in zip(params, memories):
                seen, back = view(p.detach().clone())
                p.copy_(back(formula(seen, view(p.grad)[0], n, memory)))
        return step
    record(optimizer, title, settings, made)


def merged(v):
    """A kernel as a matrix of a row an output channel."""
    return v.flatten(1) if v.dim() > 1 else v, lambda w: w.reshape(v.shape)


def last(v):
    """A kernel as JAX has it: height, width, inputs, outputs."""
    return (v.permute(2, 3, 1, 0), lambda w: w.permute(3, 2, 0, 1)) if v.dim() == 4 else (v, lambda w: w)


def columns(v):
    """A kernel as a matrix of a column an output channel, and the weights behind the images, whose pixels come before their channels."""
    if v.dim() == 4:
        return v.permute(2, 3, 1, 0).flatten(0, 2), lambda w: w.reshape(*v.shape[2:], v.shape[1], v.shape[0]).permute(3, 2, 0, 1)
    if v.dim() == 2 and v.shape[1] == 16:
        return v.reshape(-1, 4, 2, 2).permute(0, 2, 3, 1).flatten(1), lambda w: w.reshape(-1, 2, 2, 4).permute(0, 3, 1, 2).flatten(1)
    return v, lambda w: w


def ema(memory, key, v, beta):
    memory[key] = beta * memory.get(key, torch.zeros_like(v)) + (1 - beta) * v
    return memory[key]


def adafactor(p, g, n, memory):  # algorithms 4 and 5 of the paper, over the last two axes
    beta, square = 1 - (n + 1) ** -0.8, g * g + 1e-30
    if p.dim() > 1:
        r, c = ema(memory, "r", square.mean(-1, keepdim=True), beta), ema(memory, "c", square.mean(-2, keepdim=True), beta)
        v = r * c / r.mean(-2, keepdim=True)
    else:
        v = ema(memory, "v", square, beta)
    u = g / v.sqrt()
    u = u / max(1.0, (u * u).mean().sqrt().item())
    return p - max(1e-3, (p * p).mean().sqrt().item()) * min(1e-1, (n + 1) ** -0.5) * u


def orthogonal(u):
    w = u.T if u.size(0) > u.size(1) else u
    w = w / w.norm().clamp(min=1e-7)
    for _ in range(5):
        a = w @ w.T
        w = 3.4445 * w + (-4.7750 * a + 2.0315 * a @ a) @ w
    return w.T if u.size(0) > u.size(1) else w


def muon(p, g, n, memory):  # K. Jordan's for kernels, of which a row is an output channel; AdamW for vectors
    lr, decay, momentum = 0.02, 0.1, 0.9
    p = p * (1 - lr * decay)
    if p.dim() == 2:
        buf = ema(memory, "buf", g, momentum)
        return p - lr * max(1, p.size(0) / p.size(1)) ** 0.5 * orthogonal((1 - momentum) * g + momentum * buf)
    m, v = ema(memory, "m", g, 0.9), ema(memory, "v", g * g, 0.999)
    return p - lr * (m / (1 - 0.9 ** (n + 1))) / ((v / (1 - 0.999 ** (n + 1))).sqrt() + 1e-8)


def power(a, p):
    w, v = torch.linalg.eigh(a)
    return v @ torch.diag(w**p) @ v.T


def shampoo(p, g, n, memory):
    lr, eps = 0.05, 1e-4
    if p.dim() == 2:
        memory["l"], memory["r"] = memory.get("l", 0) + g @ g.T, memory.get("r", 0) + g.T @ g
        return p - lr * power(memory["l"] + eps * torch.eye(len(g)), -1 / 4) @ g @ power(memory["r"] + eps * torch.eye(g.shape[1]), -1 / 4)
    memory["v"] = memory.get("v", 0) + g * g
    return p - lr * g / (memory["v"] + eps).sqrt()


def soap(p, g, n, memory):  # algorithms 3 and 4 of the paper, from the identity
    lr, b1, b2, eps, decay, frequency, ridge = 0.01, 0.9, 0.95, 1e-6, 0.1, 3, 1e-6
    matrix = p.dim() == 2
    left, right = memory.setdefault("q", [torch.eye(k) for k in p.shape]) if matrix else (None, None)
    turn = (lambda v: left.T @ v @ right) if matrix else (lambda v: v)
    back = (lambda v: left @ v @ right.T) if matrix else (lambda v: v)
    k = n + 1
    m, v = ema(memory, "m", g, b1) / (1 - b1**k), ema(memory, "v", turn(g) ** 2, b2) / (1 - b2**k)
    step = back(turn(m) / (v.sqrt() + eps))
    if matrix:
        sums = [ema(memory, "l", g @ g.T, b2), ema(memory, "r", g.T @ g, b2)]
        if n % frequency == 0:
            memory["q"] = [torch.linalg.qr((s + ridge * s.norm() * torch.eye(len(s))) @ q)[0] for s, q in zip(sums, (left, right))]
    return p - lr * (step + decay * p)


o = torch.optim
by_torch("sgd", "momentum", {"lr": 0.05, "momentum": 0.8}, lambda p: o.SGD(p, lr=0.05, momentum=0.8))
by_torch("adamw", "PyTorch's defaults", {"preset": "pytorch", "lr": 0.01}, lambda p: o.AdamW(p, lr=0.01))
by_torch("adafactor", "PyTorch's defaults", {"preset": "pytorch"}, lambda p: o.Adafactor(p))
by_torch("adafactor", "PyTorch's long steps", {"preset": "pytorch", "lr": 0.1}, lambda p: o.Adafactor(p, lr=0.1))
by_formula("adafactor", "as in the paper", {"lr": 0.1}, adafactor, last)
by_optax("lamb", "", {"lr": 0.02, "beta1": 0.8, "beta2": 0.95, "weight_decay": 0.1}, optax.lamb(0.02, b1=0.8, b2=0.95, eps=1e-6, weight_decay=0.1))
by_formula("muon", "five steps in float64", {"lr": 0.02, "momentum": 0.9}, muon, merged)
by_formula("shampoo", "sums, root 4", {"lr": 0.05, "eps": 1e-4}, shampoo, merged)
by_formula("soap", "as in the paper", {"lr": 0.01, "beta1": 0.9, "eps": 1e-6, "frequency": 3, "ridge": 1e-6, "weight_decay": 0.1}, soap, columns)

with open(os.path.join(here, "kernels.json"), "w") as f:
    f.write(json.dumps({"torch": torch.__version__, "optax": optax.__version__})[:-1] + ', "cases": [\n' + ",\n".join(json.dumps(c) for c in cases) + "\n]}\n")
