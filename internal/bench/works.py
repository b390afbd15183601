"""The same work as shadowflow's bench, in PyTorch: prints {"name": seconds of the fastest run} as JSON.

    python3 works.py [name ...]
"""
import json
import os
import sys
import time

import torch
import torch.nn as nn
import torch.nn.functional as F

torch.set_num_threads(len(os.sched_getaffinity(0)))
torch.manual_seed(0)


def fastest(run, budget=3.0, least=3):
    run()
    best, start, n = float("inf"), time.perf_counter(), 0
    while n < least or time.perf_counter() - start < budget:
        t = time.perf_counter()
        run()
        best, n = min(best, time.perf_counter() - t), n + 1
        if n >= least and best > budget:
            break
    return best


def cnn():
    layers, c = [], 3
    for o in (32, 64, 128):
        layers += [nn.Conv2d(c, o, 3, padding=1), nn.ReLU(), nn.Conv2d(o, o, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)]
        c = o
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(2048, 512), nn.ReLU(), nn.Linear(512, 10))


class Bottleneck(nn.Module):
    def __init__(self, c, width, stride):
        super().__init__()
        o = 4 * width
        self.conv1, self.bn1 = nn.Conv2d(c, width, 1, bias=False), nn.BatchNorm2d(width)
        self.conv2, self.bn2 = nn.Conv2d(width, width, 3, stride, 1, bias=False), nn.BatchNorm2d(width)
        self.conv3, self.bn3 = nn.Conv2d(width, o, 1, bias=False), nn.BatchNorm2d(o)
        self.down = None
        if stride != 1 or c != o:
            self.down = nn.Sequential(nn.Conv2d(c, o, 1, stride, bias=False), nn.BatchNorm2d(o))

    def forward(self, x):
        y = F.relu(self.bn1(self.conv1(x)))
        y = F.relu(self.bn2(self.conv2(y)))
        return F.relu(self.bn3(self.conv3(y)) + (x if self.down is None else self.down(x)))


def resnet50():
    layers, c = [nn.Conv2d(3, 64, 3, 1, 1, bias=False), nn.BatchNorm2d(64), nn.ReLU()], 64
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
    def __init__(self, dim, heads):
        super().__init__()
        self.heads, self.ln_1, self.ln_2 = heads, nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.c_attn, self.attn_proj = nn.Linear(dim, 3 * dim), nn.Linear(dim, dim)
        self.c_fc, self.mlp_proj = nn.Linear(dim, 4 * dim), nn.Linear(4 * dim, dim)
        self.fused = True

    def forward(self, x):
        n, tokens, dim = x.shape
        q, k, v = self.c_attn(self.ln_1(x)).view(n, tokens, 3, self.heads, dim // self.heads).permute(2, 0, 3, 1, 4)
        if self.fused:
            y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        else:
            hidden = torch.ones(tokens, tokens, dtype=torch.bool).triu(1)
            y = (q @ k.transpose(-1, -2) * q.shape[-1] ** -0.5).masked_fill(hidden, -torch.inf).softmax(-1) @ v
        x = x + self.attn_proj(y.transpose(1, 2).reshape(n, tokens, dim))
        return x + self.mlp_proj(F.gelu(self.c_fc(self.ln_2(x))))


class GPT(nn.Module):
    def __init__(self, fused, vocabulary=256, context=256, dim=384, heads=6, depth=6):
        super().__init__()
        self.wte, self.wpe = nn.Embedding(vocabulary, dim), nn.Embedding(context, dim)
        self.h, self.ln_f = nn.ModuleList(GPTBlock(dim, heads) for _ in range(depth)), nn.LayerNorm(dim)
        for block in self.h:
            block.fused = fused
        for p in self.parameters():
            if p.dim() == 2:
                nn.init.normal_(p, std=0.02)

    def forward(self, tokens):
        x = self.wte(tokens) + self.wpe.weight[: tokens.shape[1]]
        for block in self.h:
            x = block(x)
        return F.linear(self.ln_f(x), self.wte.weight).flatten(0, 1)


def gpt(pair=False):
    # The fused attention has no second derivative.
    x, y = torch.randint(256, (12, 256)), torch.randint(256, (12 * 256,))
    return gradient(GPT(fused=not pair), x, y, pair)


def gradient_of(model, shape, pair=False):
    return gradient(model, torch.randn(shape), torch.randint(10, (shape[0],)), pair)


def gradient(model, x, y, pair=False):
    params = list(model.parameters())

    def run():
        loss = F.cross_entropy(model(x), y)
        g = torch.autograd.grad(loss, params, create_graph=pair)
        if pair:
            v = [(d / (d * d + 1e-8).sqrt()).detach() for d in g]
            torch.autograd.grad(g, params, grad_outputs=v)

    return run


def digits_step():
    model = mlp((64, 64, 64, 10), nn.Tanh)
    x, y = torch.randn(1297, 64), torch.randint(10, (1297,))
    adam = torch.optim.Adam(model.parameters(), lr=1e-3, betas=(0.9, 0.99))

    def run():
        adam.zero_grad()
        F.cross_entropy(model(x), y).backward()
        adam.step()

    return run


def grouped(side, groups):
    conv = nn.Conv2d(128, 128, side, padding=side // 2, groups=groups, bias=False)
    x, dy = torch.randn(32, 128, 16, 16, requires_grad=True), torch.randn(32, 128, 16, 16)
    return lambda: torch.autograd.grad(conv(x), (x, conv.weight), dy)


def matmul(n):
    a, b = torch.randn(n, n), torch.randn(n, n)
    return lambda: a @ b


WORKS = {
    "matmul-1024": lambda: matmul(1024),
    "matmul-2048": lambda: matmul(2048),
    "depthwise3x3-gradients": lambda: grouped(3, 128),
    "depthwise7x7-gradients": lambda: grouped(7, 128),
    "groups-of-4-gradients": lambda: grouped(3, 32),
    "cnn-gradient": lambda: gradient_of(cnn(), (500, 3, 32, 32)),
    "cnn-gradient-hvp": lambda: gradient_of(cnn(), (500, 3, 32, 32), pair=True),
    "resnet50-gradient": lambda: gradient_of(resnet50(), (32, 3, 32, 32)),
    "resnet50-gradient-hvp": lambda: gradient_of(resnet50(), (32, 3, 32, 32), pair=True),
    "dense-gradient": lambda: gradient_of(mlp((3072, 200, 200, 10), nn.GELU), (1000, 3072)),
    "gpt-gradient": lambda: gpt(),
    "gpt-gradient-hvp": lambda: gpt(pair=True),
    "digits-gradient": lambda: gradient_of(mlp((64, 64, 64, 10), nn.Tanh), (1297, 64)),
    "digits-gradient-hvp": lambda: gradient_of(mlp((64, 64, 64, 10), nn.Tanh), (1297, 64), pair=True),
    "digits-adam-step": lambda: digits_step(),
}

if __name__ == "__main__":
    names = sys.argv[1:] or list(WORKS)
    print(json.dumps({name: fastest(WORKS[name]()) for name in names}))
