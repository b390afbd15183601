"""Writes optimizers.json: the loss of a small network on all training digits, in float64, over 25 steps of the optimizers of torch.optim, optax,
prodigyopt and pytorch_optimizer, and where none has one, or has it otherwise (rule/definitions says how), of its paper's formula.

Run with PyTorch 2, optax, jax, prodigyopt and pytorch_optimizer in this directory, behind schedules.py, whose weights it starts from, and behind
go test .. -run Directions -update, which writes the random directions of Sophia's estimates: python3 optimizers.py
"""
import gzip
import json
import os

import jax
import numpy as np
import optax
import optax.contrib
import prodigyopt
import pytorch_optimizer
import torch
from safetensors.torch import load_file

jax.config.update("jax_enable_x64", True)
torch.set_default_dtype(torch.float64)
torch.set_num_threads(1)
here = os.path.dirname(os.path.abspath(__file__))
STEPS, TRAIN = 25, 1297

with gzip.open(os.path.join(here, "../../../dataset/digits.csv.gz"), "rt") as f:
    rows = np.loadtxt(f, delimiter=",")[:TRAIN]
x = torch.tensor((rows[:, :-1] - rows[:, :-1].mean()) / rows[:, :-1].std())
y = torch.tensor(rows[:, -1].astype(np.int64))
model = torch.nn.Sequential(torch.nn.Linear(64, 8), torch.nn.Tanh(), torch.nn.Linear(8, 10))
start = load_file(os.path.join(here, "schedules_weights.safetensors"))
cases = []


def record(step):
    """The losses where step(params, n) moves the parameters by their gradients."""
    model.load_state_dict(start)
    params, losses = list(model.parameters()), []
    for n in range(STEPS):
        model.zero_grad()
        loss = torch.nn.functional.cross_entropy(model(x), y)
        losses.append(loss.item())
        loss.backward()
        step(params, n)
    return losses + [torch.nn.functional.cross_entropy(model(x), y).item()]


def add(optimizer, title, settings, losses, schedule=None):
    case = {"name": f"{optimizer}, {title}", "optimizer": {"name": optimizer, **settings}, "loss": losses}
    cases.append({**case, "schedule": schedule} if schedule else case)


def by_torch(optimizer, title, settings, make):
    made = []

    def step(params, n):
        if n == 0:
            made.append(make(params))
        made[0].step()

    add(optimizer, title, settings, record(step))


def by_optax(optimizer, title, settings, transform, schedule=None):
    state = []

    def step(params, n):
        tree = [jax.numpy.asarray(p.detach().numpy()) for p in params]
        if n == 0:
            state.append(transform.init(tree))
        grads = [jax.numpy.asarray(p.grad.numpy()) for p in params]
        updates, state[0] = transform.update(grads, state[0], tree)
        with torch.no_grad():
            for p, u in zip(params, updates):
                p += torch.tensor(np.asarray(u))

    add(optimizer, title, settings, record(step), schedule)


def by_formula(optimizer, title, settings, formula):
    """formula(p, g, n, memory) returns the next p; memory is a dict for each weight."""
    memories = [{} for _ in start]

    def step(params, n):
        with torch.no_grad():
            for p, memory in zip(params, memories):
                p.copy_(formula(p.clone(), p.grad, n, memory))

    add(optimizer, title, settings, record(step))


o = torch.optim
by_torch("sgd", "no momentum", {"lr": 0.5, "momentum": 0}, lambda p: o.SGD(p, lr=0.5))
by_torch("sgd", "momentum", {"lr": 0.2, "momentum": 0.8}, lambda p: o.SGD(p, lr=0.2, momentum=0.8))
by_torch("sgd", "dampening", {"lr": 0.5, "momentum": 0.8, "dampening": 0.6}, lambda p: o.SGD(p, lr=0.5, momentum=0.8, dampening=0.6))
by_torch("sgd", "Nesterov, coupled decay", {"lr": 0.2, "momentum": 0.8, "nesterov": True, "l2": 0.05},
         lambda p: o.SGD(p, lr=0.2, momentum=0.8, nesterov=True, weight_decay=0.05))
betas = {"lr": 0.02, "beta1": 0.8, "beta2": 0.95, "eps": 1e-6}
outside = {**betas, "eps_inside": False}
t = {"lr": 0.02, "betas": (0.8, 0.95), "eps": 1e-6}
by_torch("adam", "L2", {**outside, "l2": 0.05}, lambda p: o.Adam(p, **t, weight_decay=0.05))
by_torch("amsgrad", "eps outside", outside, lambda p: o.Adam(p, **t, amsgrad=True))
by_torch("amsgrad", "decoupled decay", {**outside, "weight_decay": 0.1}, lambda p: o.AdamW(p, **t, amsgrad=True, weight_decay=0.1))
by_torch("radam", "the first steps", {**betas, "threshold": 5}, lambda p: o.RAdam(p, **t))
by_torch("radam", "PyTorch's defaults", {"lr": 0.02, "preset": "pytorch"}, lambda p: o.RAdam(p, lr=0.02))
by_torch("radam", "decoupled decay", {**betas, "threshold": 5, "weight_decay": 0.1}, lambda p: o.RAdam(p, **t, weight_decay=0.1, decoupled_weight_decay=True))
by_torch("adamax", "", betas, lambda p: o.Adamax(p, **t))
by_torch("nadam", "PyTorch's schedule", {**outside, "momentum_decay": 0.004}, lambda p: o.NAdam(p, **t, momentum_decay=0.004))
by_torch("nadam", "decoupled decay", {**outside, "momentum_decay": 0.004, "weight_decay": 0.1},
         lambda p: o.NAdam(p, **t, momentum_decay=0.004, weight_decay=0.1, decoupled_weight_decay=True))
by_optax("nadam", "a constant momentum, as optax corrects it", {**outside, "ahead_correction": True}, optax.nadam(0.02, b1=0.8, b2=0.95, eps=1e-6))
by_torch("adagrad", "", {"lr": 0.1}, lambda p: o.Adagrad(p, lr=0.1))
by_torch("adagrad", "an initial sum", {"lr": 0.1, "initial": 0.01}, lambda p: o.Adagrad(p, lr=0.1, initial_accumulator_value=0.01))
by_torch("adadelta", "", {"lr": 5.0, "beta2": 0.8, "eps": 1e-5}, lambda p: o.Adadelta(p, lr=5.0, rho=0.8, eps=1e-5))
r = {"lr": 0.01, "beta2": 0.95, "eps": 1e-6, "eps_inside": False}
q = {"lr": 0.01, "alpha": 0.95, "eps": 1e-6}
by_torch("rmsprop", "", r, lambda p: o.RMSprop(p, **q))
by_torch("rmsprop", "momentum", {**r, "momentum": 0.7}, lambda p: o.RMSprop(p, **q, momentum=0.7))
by_torch("rmsprop", "momentum, centered", {**r, "momentum": 0.7, "centered": True}, lambda p: o.RMSprop(p, **q, momentum=0.7, centered=True))
by_torch("rprop", "", {"lr": 0.01}, lambda p: o.Rprop(p, lr=0.01))
by_torch("adafactor", "PyTorch's defaults", {"preset": "pytorch"}, lambda p: o.Adafactor(p))
by_torch("adafactor", "decay", {"preset": "pytorch", "lr": 0.4, "weight_decay": 0.1, "largest": 1.02}, lambda p: o.Adafactor(p, lr=0.4, weight_decay=0.1, d=1.02))

by_optax("radam", "the paper's threshold", {"lr": 0.02, "beta2": 0.95, "eps": 1e-30}, optax.radam(0.02, b2=0.95, eps=1e-30, threshold=4.0))
by_optax("lion", "the sign itself", {"lr": 0.01, "beta1": 0.8, "beta2": 0.95, "eps": 0, "weight_decay": 0.1},
         optax.lion(0.01, b1=0.8, b2=0.95, weight_decay=0.1))
by_optax("adabelief", "", {"lr": 0.02, "beta1": 0.8, "beta2": 0.95}, optax.adabelief(0.02, b1=0.8, b2=0.95, eps=1e-16, eps_root=1e-16))
by_torch("adabelief", "rectified", {"preset": "pytorch", "lr": 0.02, "beta1": 0.8, "beta2": 0.95},
         lambda p: pytorch_optimizer.AdaBelief(p, lr=0.02, betas=(0.8, 0.95), rectify=True))
by_torch("adabelief", "rectified, long means", {"preset": "pytorch", "lr": 0.01}, lambda p: pytorch_optimizer.AdaBelief(p, lr=0.01, rectify=True))
by_optax("lamb", "", {"lr": 0.02, "beta1": 0.8, "beta2": 0.95, "weight_decay": 0.1}, optax.lamb(0.02, b1=0.8, b2=0.95, eps=1e-6, weight_decay=0.1))
by_optax("ademamix", "", {"lr": 0.01, "beta1": 0.8, "beta2": 0.95, "beta3": 0.99, "weight_decay": 0.1},
         optax.contrib.ademamix(0.01, b1=0.8, b2=0.95, b3=0.99, alpha=5.0, eps=1e-8, weight_decay=0.1))
by_torch("ademamix", "the authors' defaults", {"preset": "pytorch", "lr": 0.01}, lambda p: pytorch_optimizer.AdEMAMix(p, lr=0.01, alpha=2.0))
by_torch("prodigy", "", {}, lambda p: prodigyopt.Prodigy(p))
by_torch("prodigy", "decay", {"lr": 0.5, "beta2": 0.99, "weight_decay": 0.1, "d0": 1e-3},
         lambda p: prodigyopt.Prodigy(p, lr=0.5, betas=(0.9, 0.99), d0=1e-3, weight_decay=0.1, decouple=True))
by_optax("schedule-free-adamw", "", {"lr": 0.02, "beta2": 0.95, "weight_decay": 0.1},
         optax.contrib.schedule_free_adamw(0.02, b1=0.9, b2=0.95, eps=1e-8, weight_decay=0.1))


def warmed(n):
    """A warmup of five steps, and a cosine to 0 over the other twenty."""
    n = jax.numpy.asarray(n, dtype=float)
    return 0.05 * jax.numpy.where(n < 5, (n + 1) / 5, (1 + jax.numpy.cos(jax.numpy.pi * (n - 5) / (STEPS - 5))) / 2)


by_optax("schedule-free-adamw", "a warmup and a cosine", {"lr": 0.05, "beta2": 0.95, "weight_decay": 0.1}, optax.contrib.schedule_free(
    optax.chain(optax.scale_by_rms(decay=0.95, eps=1e-8, eps_in_sqrt=False, bias_correction=True), optax.add_decayed_weights(0.1),
                optax.scale_by_learning_rate(warmed)),
    learning_rate=lambda n: warmed(n - 1), b1=0.9), {"shape": "cosine", "warmup": 5})  # where optax counts from 1


def ema(memory, key, v, beta):
    memory[key] = beta * memory.get(key, torch.zeros_like(v)) + (1 - beta) * v
    return memory[key]


def signum(p, g, n, memory):
    return p - 0.01 * torch.sign(ema(memory, "m", g, 0.8))


def adan(p, g, n, memory):
    b1, b2, b3, lr, eps, decay = 0.9, 0.8, 0.95, 0.02, 1e-8, 0.1
    change = g - memory.get("last", g)
    memory["last"] = g.clone()
    m, d, v = ema(memory, "m", g, b1), ema(memory, "d", change, b2), ema(memory, "v", (g + b2 * change) ** 2, b3)
    k = n + 1
    step = (m / (1 - b1**k) + b2 * d / (1 - b2**k)) / ((v / (1 - b3**k)).sqrt() + eps)
    return (p - lr * step) / (1 + lr * decay)


def adopt(p, g, n, memory):
    b1, b2, lr, eps, decay = 0.8, 0.95, 0.02, 1e-6, 0.1
    if n == 0:
        memory["v"] = g * g
        return p
    bound = n**0.25
    m = ema(memory, "m", (g / memory["v"].sqrt().clamp(min=eps)).clamp(-bound, bound), b1)
    ema(memory, "v", g * g, b2)
    return p - lr * decay * p - lr * m


def adafactor(p, g, n, memory):  # algorithms 4 and 5 of the paper, with its relative steps
    beta, square = 1 - (n + 1) ** -0.8, g * g + 1e-30
    if p.dim() == 2:
        r, c = ema(memory, "r", square.mean(1), beta), ema(memory, "c", square.mean(0), beta)
        v = torch.outer(r, c) / r.mean()
    else:
        v = ema(memory, "v", square, beta)
    u = g / v.sqrt()
    u = u / max(1.0, (u * u).mean().sqrt().item())
    return p - max(1e-3, (p * p).mean().sqrt().item()) * min(1e-2, (n + 1) ** -0.5) * u


def orthogonal(u):
    """Muon's five steps as torch.optim.Muon takes them, but in float64."""
    w = u.T if u.size(0) > u.size(1) else u
    w = w / w.norm().clamp(min=1e-7)
    for _ in range(5):
        a = w @ w.T
        w = 3.4445 * w + (-4.7750 * a + 2.0315 * a @ a) @ w
    return w.T if u.size(0) > u.size(1) else w


def polar(u):
    a, _, b = torch.linalg.svd(u, full_matrices=False)
    return a @ b


def muon(factor):
    def step(p, g, n, memory):
        lr, decay, momentum = 0.02, 0.1, 0.9
        p = p * (1 - lr * decay)
        if p.dim() == 2:
            buf = ema(memory, "buf", g, momentum)
            return p - lr * max(1, p.size(0) / p.size(1)) ** 0.5 * factor((1 - momentum) * g + momentum * buf)
        m, v = ema(memory, "m", g, 0.9), ema(memory, "v", g * g, 0.999)
        return p - lr * (m / (1 - 0.9 ** (n + 1))) / ((v / (1 - 0.999 ** (n + 1))).sqrt() + 1e-8)
    return step


def nadam(constant):
    """Dozat's formula with a constant momentum, and the paper's on Adam's implicit bias, whose g is not corrected."""
    def step(p, g, n, memory):
        b1, b2, lr, eps = 0.8, 0.95, 0.02, 1e-6
        m, v = ema(memory, "m", g, b1), ema(memory, "v", g * g, b2) / (1 - b2 ** (n + 1))
        ahead = b1 * m / (1 - b1 ** (n + 2)) + (1 - b1) * g / (1 - b1 ** (n + 1)) if constant else b1 * m / (1 - b1 ** (n + 1)) + (1 - b1) * g
        return p - lr * ahead / (v.sqrt() + eps)
    return step


by_formula("nadam", "Dozat's formula with a constant momentum", {**outside, "ahead_correction": True}, nadam(True))
by_formula("nadam", "the mean corrected alone", outside, nadam(False))
by_formula("signum", "the sign itself", {"lr": 0.01, "beta1": 0.8, "eps": 0}, signum)
by_formula("adan", "as its authors have it", {"lr": 0.02, "beta1": 0.9, "beta2": 0.8, "beta3": 0.95, "weight_decay": 0.1}, adan)
by_formula("adopt", "as its authors have it", {"lr": 0.02, "beta1": 0.8, "beta2": 0.95, "weight_decay": 0.1}, adopt)
by_formula("adafactor", "as in the paper", {}, adafactor)
by_formula("muon", "five steps in float64", {"lr": 0.02, "momentum": 0.9}, muon(orthogonal))
by_formula("muon", "the polar factor", {"lr": 0.02, "momentum": 0.9, "exact": True}, muon(polar))

class Shampoo:
    """pytorch_optimizer's for matrices, and the diagonal of its sum for vectors, which is Adagrad."""

    def __init__(self, params):
        self.parts = [pytorch_optimizer.Shampoo([p for p in params if p.dim() == 2], lr=0.05, matrix_eps=1e-4),
                      o.Adagrad([p for p in params if p.dim() == 1], lr=0.05, initial_accumulator_value=1e-4, eps=0)]

    def step(self):
        for part in self.parts:
            part.step()


def power(a, p):
    w, v = torch.linalg.eigh(a)
    return v @ torch.diag(w**p) @ v.T


def shampoo(p, g, n, memory):  # with means, root 2, momentum and decay
    lr, b2, eps, momentum, decay = 0.02, 0.9, 1e-3, 0.8, 0.1
    if p.dim() == 2:
        l, r = ema(memory, "l", g @ g.T, b2), ema(memory, "r", g.T @ g, b2)
        u = power(l + eps * torch.eye(len(l)), -1 / 2) @ g @ power(r + eps * torch.eye(len(r)), -1 / 2)
    else:
        u = g / (ema(memory, "v", g * g, b2) + eps).sqrt()
    memory["m"] = momentum * memory.get("m", 0) + u
    return p - lr * (memory["m"] + decay * p)


def soap(p, g, n, memory):  # algorithms 3 and 4 of the paper, from the identity
    lr, b1, b2, eps, decay, frequency, ridge = 0.01, 0.9, 0.95, 1e-6, 0.1, 3, 1e-6
    matrix = p.dim() == 2
    left, right = memory.setdefault("q", [torch.eye(k) for k in p.shape]) if matrix else (None, None)
    turn = (lambda x: left.T @ x @ right) if matrix else (lambda x: x)
    back = (lambda x: left @ x @ right.T) if matrix else (lambda x: x)
    k = n + 1
    m, v = ema(memory, "m", g, b1) / (1 - b1**k), ema(memory, "v", turn(g) ** 2, b2) / (1 - b2**k)
    step = back(turn(m) / (v.sqrt() + eps))
    if matrix:
        sums = [ema(memory, "l", g @ g.T, b2), ema(memory, "r", g.T @ g, b2)]
        if n % frequency == 0:
            memory["q"] = [torch.linalg.qr((s + ridge * s.norm() * torch.eye(len(s))) @ q)[0] for s, q in zip(sums, (left, right))]
    return p - lr * (step + decay * p)


class Sophia:
    """pytorch_optimizer's, of which lr p is the paper's lr, with estimates along given directions."""

    def __init__(self, params):
        lr, gamma, eps, decay = 0.02, 0.5, 1e-12, 0.1
        self.params, self.n, self.directions = params, 0, load_file(os.path.join(here, "optimizers_directions.safetensors"))
        self.inner = pytorch_optimizer.SophiaH(params, lr=lr / gamma, betas=(0.9, 0.8), p=gamma, eps=eps / gamma, weight_decay=decay * gamma, update_period=10)

    def step(self):
        hessian = None
        if self.n % 10 == 0:
            u = [self.directions[f"{self.n}.{name}"] for name, _ in model.named_parameters()]
            g = torch.autograd.grad(torch.nn.functional.cross_entropy(model(x), y), self.params, create_graph=True)
            products = torch.autograd.grad(sum((a * b).sum() for a, b in zip(g, u)), self.params)
            hessian = [a * b for a, b in zip(u, products)]
        self.inner.step(hessian=hessian)
        self.n += 1


by_torch("shampoo", "pytorch_optimizer's, diagonal for vectors", {"lr": 0.05, "eps": 1e-4}, Shampoo)
by_formula("shampoo", "means, root 2, momentum, decay", {"lr": 0.02, "beta2": 0.9, "eps": 1e-3, "root": 2, "momentum": 0.8, "weight_decay": 0.1}, shampoo)
by_formula("soap", "as in the paper", {"lr": 0.01, "beta1": 0.9, "eps": 1e-6, "frequency": 3, "ridge": 1e-6, "weight_decay": 0.1}, soap)
by_torch("sophia", "pytorch_optimizer's", {"lr": 0.02, "beta1": 0.9, "beta2": 0.8, "gamma": 0.5}, Sophia)


def by_parts(optimizer, title, settings, make, clip=None):
    """make(w1, b1, w2, b2) returns the optimizers of torch.optim that together move all weights, or functions of n that do."""
    made = []

    def step(params, n):
        if n == 0:
            made[:] = make(*params)
        if clip:
            torch.nn.utils.clip_grad_norm_(params, clip)
        for part in made:
            part.step() if isinstance(part, o.Optimizer) else part(n)

    add(optimizer, title, settings, record(step))


def moved(formula, *params):
    """The step of a formula on some parameters."""
    memories = [{} for _ in params]

    def step(n):
        with torch.no_grad():
            for p, memory in zip(params, memories):
                p.copy_(formula(p.clone(), p.grad, n, memory))
    return step


no_decay = [{"match": "*.bias", "weight_decay": 0}, {"match": "0.*", "lr": 0.01}]


def adamw_groups(w1, b1, w2, b2):
    return [o.AdamW([{"params": [w2]}, {"params": [b1, b2], "weight_decay": 0}, {"params": [w1], "lr": 0.01}], **t, weight_decay=0.1)]


by_parts("adamw", "groups: biases without decay, another lr for the first layer", {**outside, "weight_decay": 0.1, "groups": no_decay}, adamw_groups)
by_parts("adamw", "groups, and the norm of all of them clipped", {**outside, "preset": "pytorch", "clip_norm": 0.05, "weight_decay": 0.1, "groups": no_decay},
         adamw_groups, clip=0.05)
by_parts("sgd", "groups: AdamW for the last layer", {"lr": 0.2, "momentum": 0.8, "groups": [{"match": "2.*", "name": "adamw", **outside, "weight_decay": 0.1}]},
         lambda w1, b1, w2, b2: [o.SGD([w1, b1], lr=0.2, momentum=0.8), o.AdamW([w2, b2], **t, weight_decay=0.1)])
by_parts("sgd", "groups: biases without coupled decay", {"lr": 0.2, "momentum": 0.8, "l2": 0.05, "groups": [{"match": "*.bias", "l2": 0}, {"match": "2.*", "l2": 0.1}]},
         lambda w1, b1, w2, b2: [o.SGD([{"params": [w1]}, {"params": [b1, b2], "weight_decay": 0}, {"params": [w2], "weight_decay": 0.1}],
                                       lr=0.2, momentum=0.8, weight_decay=0.05)])
by_parts("muon", "groups: inside, AdamW for the rest", {"lr": 0.02, "momentum": 0.9, "groups": [
    {"match": ["2.*", "*.bias"], "name": "adamw", "preset": "pytorch", "lr": 0.005}]},
         lambda w1, b1, w2, b2: [moved(muon(orthogonal), w1), o.AdamW([b1, w2, b2], lr=0.005)])
by_parts("adamw", "groups: a layer that stays", {**outside, "weight_decay": 0.1, "groups": [{"match": "0.*", "lr_scale": 0}]},
         lambda w1, b1, w2, b2: [o.AdamW([w2, b2], **t, weight_decay=0.1)])

# PyTorch's defaults, which are the preset pytorch.
TORCH = {"sgd": o.SGD, "adam": o.Adam, "adamw": o.AdamW, "amsgrad": o.Adam, "radam": o.RAdam, "adamax": o.Adamax, "nadam": o.NAdam,
         "adagrad": o.Adagrad, "adadelta": o.Adadelta, "rmsprop": o.RMSprop, "rprop": o.Rprop, "muon": o.Muon, "adafactor": o.Adafactor}
HERE = {"d": "largest", "alpha": "beta2", "rho": "beta2", "initial_accumulator_value": "initial"}
defaults = {}
for name, make in TORCH.items():
    there = make([torch.nn.Parameter(torch.zeros(2, 2))]).defaults
    kept = {HERE.get(k, k): v for k, v in there.items() if isinstance(v, (bool, float, int)) and k not in
            ("maximize", "capturable", "differentiable", "foreach", "amsgrad", "decoupled_weight_decay", "lr_decay", "ns_steps", "beta2_decay")}
    kept = {k: v for k, v in kept.items() if not (k == "weight_decay" and v == 0)}
    if "betas" in there:
        kept["beta1"], kept["beta2"] = there["betas"]
    if name == "muon":
        kept.pop("eps")  # of its norm; eps here is AdamW's
    defaults[name] = kept

with open(os.path.join(here, "optimizers.json"), "w") as f:
    lines = ",\n".join(json.dumps(c) for c in cases)
    f.write(json.dumps({"torch": torch.__version__, "optax": optax.__version__, "defaults": defaults})[:-1] + ', "cases": [\n' + lines + "\n]}\n")
