"""The works of shadowflow bench in PyTorch: gradients, and their pairs, by autograd and torch.func, eager and compiled, and with images in both layouts."""
import os
import sys

threads = int(sys.argv[1])
if hasattr(os, "sched_setaffinity"):  # on Linux
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.func import functional_call, grad_and_value, jvp, linearize, vjp

torch.set_num_threads(threads)
torch.manual_seed(0)


def describe():
    return {"peer": "torch", "version": torch.__version__, "device": f"cpu, {threads} threads"}


def cnn():
    layers, c = [], 3
    for o in (32, 64, 128):
        layers += [nn.Conv2d(c, o, 3, padding=1), nn.ReLU(), nn.Conv2d(o, o, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)]
        c = o
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(2048, 512), nn.ReLU(), nn.Linear(512, 10))


def norm(channels):
    # The batch's statistics, without running averages, which the transforms of torch.func refuse to update.
    return nn.BatchNorm2d(channels, track_running_stats=False)


class Bottleneck(nn.Module):
    def __init__(self, c, width, stride):
        super().__init__()
        o = 4 * width
        self.conv1, self.bn1 = nn.Conv2d(c, width, 1, bias=False), norm(width)
        self.conv2, self.bn2 = nn.Conv2d(width, width, 3, stride, 1, bias=False), norm(width)
        self.conv3, self.bn3 = nn.Conv2d(width, o, 1, bias=False), norm(o)
        self.down = None
        if stride != 1 or c != o:
            self.down = nn.Sequential(nn.Conv2d(c, o, 1, stride, bias=False), norm(o))

    def forward(self, x):
        y = F.relu(self.bn1(self.conv1(x)))
        y = F.relu(self.bn2(self.conv2(y)))
        return F.relu(self.bn3(self.conv3(y)) + (x if self.down is None else self.down(x)))


def resnet50():
    layers, c = [nn.Conv2d(3, 64, 3, 1, 1, bias=False), norm(64), nn.ReLU()], 64
    for i, (width, blocks) in enumerate(((64, 3), (128, 4), (256, 6), (512, 3))):
        for j in range(blocks):
            layers.append(Bottleneck(c, width, 2 if i > 0 and j == 0 else 1))
            c = 4 * width
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(2048, 10))


def mlp(sizes, activation):
    layers = []
    for i, (a, b) in enumerate(zip(sizes, sizes[1:])):
        layers += [activation()] * (i > 0) + [nn.Linear(a, b)]
    return nn.Sequential(*layers)


class GPTBlock(nn.Module):
    def __init__(self, dim, heads, fused):
        super().__init__()
        self.heads, self.ln_1, self.ln_2 = heads, nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.c_attn, self.attn_proj = nn.Linear(dim, 3 * dim), nn.Linear(dim, dim)
        self.c_fc, self.mlp_proj = nn.Linear(dim, 4 * dim), nn.Linear(4 * dim, dim)
        self.fused = fused

    def forward(self, x):
        n, tokens, dim = x.shape
        q, k, v = self.c_attn(self.ln_1(x)).view(n, tokens, 3, self.heads, dim // self.heads).permute(2, 0, 3, 1, 4)
        if self.fused:
            y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        else:  # the fused attention has no second derivative
            hidden = torch.ones(tokens, tokens, dtype=torch.bool).triu(1)
            y = (q @ k.transpose(-1, -2) * q.shape[-1] ** -0.5).masked_fill(hidden, -torch.inf).softmax(-1) @ v
        x = x + self.attn_proj(y.transpose(1, 2).reshape(n, tokens, dim))
        return x + self.mlp_proj(F.gelu(self.c_fc(self.ln_2(x))))


class GPT(nn.Module):
    def __init__(self, fused, vocabulary=256, context=256, dim=384, heads=6, depth=6):
        super().__init__()
        self.wte, self.wpe = nn.Embedding(vocabulary, dim), nn.Embedding(context, dim)
        self.h, self.ln_f = nn.ModuleList(GPTBlock(dim, heads, fused) for _ in range(depth)), nn.LayerNorm(dim)
        for p in self.parameters():
            if p.dim() == 2:
                nn.init.normal_(p, std=0.02)

    def forward(self, tokens):
        x = self.wte(tokens) + self.wpe.weight[: tokens.shape[1]]
        for block in self.h:
            x = block(x)
        return F.linear(self.ln_f(x), self.wte.weight).flatten(0, 1)


def direction(gradient):
    """Adam's bias is the Hessian times this."""
    return {name: g / (g * g + 1e-8).sqrt() for name, g in gradient.items()}


def backward(loss, model, pair):
    """The gradient by autograd, and its product with the Hessian by a second pass through it."""
    params = list(model.parameters())

    def run():
        g = torch.autograd.grad(loss(), params, create_graph=pair)
        if pair:
            v = [(d / (d * d + 1e-8).sqrt()).detach() for d in g]
            torch.autograd.grad(g, params, grad_outputs=v)

    return run


def functional(model, x, y, how):
    """The same by torch.func: how is None for the gradient alone, or says how the product is made."""
    params = {name: p.detach() for name, p in model.named_parameters()}

    def loss(p):
        return F.cross_entropy(functional_call(model, p, (x,)), y)

    def gradient(p):
        return grad_and_value(loss)(p)[0]

    def forward(p):
        v = direction(gradient(p))
        return jvp(gradient, (p,), (v,))

    def linear(p):
        g, push = linearize(gradient, p)
        return g, push(direction(g))

    def reverse(p):
        g, pull = vjp(gradient, p)
        return g, pull({name: d.detach() for name, d in direction(g).items()})[0]

    f = {None: gradient, "forward": forward, "linearize": linear, "reverse": reverse}[how]
    return f, params


def gradient_of(build, x, y, pair=False, images=False):
    """Every setting of a gradient, or of a pair of it with a Hessian-vector product."""

    def eager(last=False):
        model, inputs = build(), x
        if last:
            model, inputs = model.to(memory_format=torch.channels_last), x.contiguous(memory_format=torch.channels_last)
        return model, inputs

    def autograd(last=False, compiled=False):
        model, inputs = eager(last)
        f = torch.compile(model) if compiled else model
        return backward(lambda: F.cross_entropy(f(inputs), y), model, pair)

    def func(how=None, last=False, compiled=False):
        model, inputs = eager(last)
        f, params = functional(model, inputs, y, how)
        f = torch.compile(f) if compiled else f
        return lambda: f(params)

    settings = {}
    for last in (False, True) if images else (False,):
        suffix = ", channels_last" if last else ""
        settings["eager" + suffix] = lambda last=last: autograd(last)
        if not pair:
            settings["torch.compile" + suffix] = lambda last=last: autograd(last, compiled=True)
        for how in ("forward", "linearize", "reverse") if pair else (None,):
            name = "torch.func" + (" " + how if how else "")
            settings[name + suffix] = lambda how=how, last=last: func(how, last)
            settings["torch.compile " + name + suffix] = lambda how=how, last=last: func(how, last, compiled=True)
    return settings


def images(n, side, channels=3):
    return torch.randn(n, channels, side, side), torch.randint(10, (n,))


def images_of_classes(n, side, channels=3):
    """Noise, and in each image half as much of one of its class."""
    y = torch.arange(n) % 10
    return torch.randn(n, channels, side, side) + 0.5 * torch.randn(10, channels, side, side)[y], y


def convolution(which):
    conv = nn.Conv2d(64, 64, 3, padding=1, bias=False)
    x, dy = torch.randn(64, 64, 32, 32), torch.randn(64, 64, 32, 32)

    def made(last):
        w = conv.weight.detach()
        a, b = x, dy
        if last:
            a, b, w = (t.contiguous(memory_format=torch.channels_last) for t in (a, b, w))
        if which == 0:
            return lambda: F.conv2d(a, w, padding=1)
        mask = [which == 1, which == 2, False]
        return lambda: torch.ops.aten.convolution_backward(b, a, w, None, [1, 1], [1, 1], [1, 1], False, [0, 0], 1, mask)

    return {"eager": lambda: made(False), "eager, channels_last": lambda: made(True)}


def grouped(side, groups):
    x, dy = torch.randn(32, 128, 16, 16), torch.randn(32, 128, 16, 16)

    def made(last):
        conv = nn.Conv2d(128, 128, side, padding=side // 2, groups=groups, bias=False)
        a, b = x, dy
        if last:
            conv = conv.to(memory_format=torch.channels_last)
            a, b = (t.contiguous(memory_format=torch.channels_last) for t in (a, b))
        a.requires_grad_()
        return lambda: torch.autograd.grad(conv(a), (a, conv.weight), b)

    return {"eager": lambda: made(False), "eager, channels_last": lambda: made(True)}


def matmul(n):
    a, b = torch.randn(n, n), torch.randn(n, n)
    return {"eager": lambda: lambda: a @ b}


def top(build, x, y, wanted=10, tolerance=1e-3):
    """The largest eigenvalues of the Hessian by curvlinops and SciPy's ARPACK, ten steps of Adam behind PyTorch's initialization, where shadowflow bench has them too."""

    def made(last):
        try:
            from curvlinops import HessianLinearOperator
            from scipy.sparse.linalg import eigsh
        except ImportError as e:
            raise ImportError(f"{e}: pip install curvlinops-for-pytorch") from e
        model, images = build(), x
        if last:
            model, images = model.to(memory_format=torch.channels_last), x.contiguous(memory_format=torch.channels_last)
        adam = torch.optim.Adam(model.parameters())
        for _ in range(10):
            adam.zero_grad()
            nn.functional.cross_entropy(model(images), y).backward()
            adam.step()
        hessian = HessianLinearOperator(model, nn.CrossEntropyLoss(), list(model.parameters()), [(images, y)], check_deterministic=False)
        return lambda: eigsh(hessian.to_scipy(), k=wanted, which="LA", tol=tolerance)

    return {"curvlinops, eigsh": lambda: made(False), "curvlinops, eigsh, channels_last": lambda: made(True)}


def works():
    tokens = torch.randint(256, (12, 256)), torch.randint(256, (12 * 256,))
    wide = lambda: mlp((3072, 200, 200, 10), nn.GELU)
    small = lambda: mlp((64, 64, 64, 10), nn.Tanh)
    table = lambda n, d: (torch.randn(n, d), torch.randint(10, (n,)))
    return {
        "matmul-1024": lambda: matmul(1024),
        "matmul-2048": lambda: matmul(2048),
        "conv3x3-forward": lambda: convolution(0),
        "conv3x3-input-gradient": lambda: convolution(1),
        "conv3x3-kernel-gradient": lambda: convolution(2),
        "depthwise3x3-gradients": lambda: grouped(3, 128),
        "depthwise7x7-gradients": lambda: grouped(7, 128),
        "groups-of-4-gradients": lambda: grouped(3, 32),
        "cnn-gradient": lambda: gradient_of(cnn, *images(500, 32), images=True),
        "cnn-gradient-hvp": lambda: gradient_of(cnn, *images(500, 32), pair=True, images=True),
        "resnet50-gradient": lambda: gradient_of(resnet50, *images(32, 32), images=True),
        "resnet50-gradient-hvp": lambda: gradient_of(resnet50, *images(32, 32), pair=True, images=True),
        "dense-gradient": lambda: gradient_of(wide, *table(1000, 3072)),
        "gpt-gradient": lambda: gradient_of(lambda: GPT(fused=True), *tokens),
        "gpt-gradient-hvp": lambda: gradient_of(lambda: GPT(fused=False), *tokens, pair=True),
        "digits-gradient": lambda: gradient_of(small, *table(1297, 64)),
        "digits-gradient-hvp": lambda: gradient_of(small, *table(1297, 64), pair=True),
        "cnn-top-10": lambda: top(cnn, *images_of_classes(500, 32)),
    }
