"""The works of shadowflow bench in JAX, compiled by jit."""
import os
import sys

threads = int(sys.argv[1])
if hasattr(os, "sched_setaffinity"):  # on Linux
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])
os.environ.setdefault("JAX_PLATFORMS", "cpu")

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

draw = np.random.default_rng(0)


def describe():
    return {"peer": "jax", "version": jax.__version__, "device": f"cpu, {threads} threads"}


def normal(*shape, scale=1.0):
    return jnp.asarray(scale * draw.standard_normal(shape), jnp.float32)


def weight(*shape, inputs):
    return normal(*shape, scale=inputs**-0.5)


def conv(x, w, stride=1, pad=1, groups=1):
    return lax.conv_general_dilated(x, w, (stride, stride), [(pad, pad), (pad, pad)], dimension_numbers=("NHWC", "HWIO", "NHWC"),
                                    feature_group_count=groups)


def cross_entropy(logits, y):
    return -jnp.mean(jnp.take_along_axis(jax.nn.log_softmax(logits), y[:, None], 1))


def cnn():
    params, c = [], 3
    for o in (32, 64, 128):
        params += [(weight(3, 3, c, o, inputs=9 * c), normal(o)), (weight(3, 3, o, o, inputs=9 * o), normal(o))]
        c = o
    params += [(weight(2048, 512, inputs=2048), normal(512)), (weight(512, 10, inputs=512), normal(10))]

    def apply(p, x):
        for i in range(3):
            for w, b in p[2 * i : 2 * i + 2]:
                x = jax.nn.relu(conv(x, w) + b)
            x = lax.reduce_window(x, -jnp.inf, lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID")
        x = jax.nn.relu(x.reshape(x.shape[0], -1) @ p[6][0] + p[6][1])
        return x @ p[7][0] + p[7][1]

    return params, apply


def batch_norm(x, scale, shift):
    mean = x.mean((0, 1, 2))
    variance = ((x - mean) ** 2).mean((0, 1, 2))
    return (x - mean) * lax.rsqrt(variance + 1e-5) * scale + shift


def resnet50():
    def unit(k, c, o):
        return weight(k, k, c, o, inputs=k * k * c), jnp.ones(o), jnp.zeros(o)

    params, strides, c = {"stem": unit(3, 3, 64), "blocks": [], "head": None}, [], 64
    for i, (width, blocks) in enumerate(((64, 3), (128, 4), (256, 6), (512, 3))):
        for j in range(blocks):
            stride = 2 if i > 0 and j == 0 else 1
            block = {"1": unit(1, c, width), "2": unit(3, width, width), "3": unit(1, width, 4 * width)}
            if j == 0:
                block["down"] = unit(1, c, 4 * width)
            params["blocks"].append(block)
            strides.append(stride)
            c = 4 * width
    params["head"] = (weight(2048, 10, inputs=2048), jnp.zeros(10))

    def apply(p, x):
        w, s, t = p["stem"]
        x = jax.nn.relu(batch_norm(conv(x, w), s, t))
        for block, stride in zip(p["blocks"], strides):
            (w1, s1, t1), (w2, s2, t2), (w3, s3, t3) = block["1"], block["2"], block["3"]
            y = jax.nn.relu(batch_norm(conv(x, w1, pad=0), s1, t1))
            y = jax.nn.relu(batch_norm(conv(y, w2, stride), s2, t2))
            y = batch_norm(conv(y, w3, pad=0), s3, t3)
            if "down" in block:
                w, s, t = block["down"]
                x = batch_norm(conv(x, w, stride, pad=0), s, t)
            x = jax.nn.relu(x + y)
        w, b = p["head"]
        return x.mean((1, 2)) @ w + b

    return params, apply


def mlp(sizes, activation):
    params = [(weight(a, b, inputs=a), jnp.zeros(b)) for a, b in zip(sizes, sizes[1:])]

    def apply(p, x):
        for w, b in p[:-1]:
            x = activation(x @ w + b)
        return x @ p[-1][0] + p[-1][1]

    return params, apply


def gpt(vocabulary=256, context=256, dim=384, heads=6, depth=6):
    def linear(a, b):
        return normal(a, b, scale=0.02), jnp.zeros(b)

    def norm():
        return jnp.ones(dim), jnp.zeros(dim)

    params = {"wte": normal(vocabulary, dim, scale=0.02), "wpe": normal(context, dim, scale=0.02), "ln_f": norm()}
    params["h"] = [{"ln_1": norm(), "qkv": linear(dim, 3 * dim), "out": linear(dim, dim), "ln_2": norm(), "up": linear(dim, 4 * dim),
                    "down": linear(4 * dim, dim)} for _ in range(depth)]

    def layer_norm(x, p):
        mean = x.mean(-1, keepdims=True)
        variance = ((x - mean) ** 2).mean(-1, keepdims=True)
        return (x - mean) * lax.rsqrt(variance + 1e-5) * p[0] + p[1]

    def attention(x):
        n, tokens, _ = x.shape
        q, k, v = jnp.moveaxis(x.reshape(n, tokens, 3, heads, dim // heads), 2, 0)
        scores = jnp.einsum("nqhd,nkhd->nhqk", q, k) * (dim // heads) ** -0.5
        visible = jnp.tril(jnp.ones((tokens, tokens), bool))
        y = jnp.einsum("nhqk,nkhd->nqhd", jax.nn.softmax(jnp.where(visible, scores, -1e30)), v)
        return y.reshape(n, tokens, dim)

    def apply(p, tokens):
        x = p["wte"][tokens] + p["wpe"][: tokens.shape[1]]
        for b in p["h"]:
            y = layer_norm(x, b["ln_1"]) @ b["qkv"][0] + b["qkv"][1]
            x = x + attention(y) @ b["out"][0] + b["out"][1]
            y = jax.nn.gelu(layer_norm(x, b["ln_2"]) @ b["up"][0] + b["up"][1], approximate=False)
            x = x + y @ b["down"][0] + b["down"][1]
        return (layer_norm(x, p["ln_f"]) @ p["wte"].T).reshape(-1, vocabulary)

    return params, apply


def timed(f, *arguments):
    f = jax.jit(f)
    return lambda: jax.block_until_ready(f(*arguments))


def gradient_of(build, x, y, pair=False):
    """Every setting of a gradient, or of a pair of it with a Hessian-vector product."""
    params, apply = build()
    gradient = jax.grad(lambda p, x, y: cross_entropy(apply(p, x), y))

    def direction(g):
        return jax.tree.map(lambda d: d / jnp.sqrt(d * d + 1e-8), g)

    def forward(p, x, y):
        v = direction(gradient(p, x, y))
        return jax.jvp(lambda q: gradient(q, x, y), (p,), (v,))

    def linear(p, x, y):
        g, push = jax.linearize(lambda q: gradient(q, x, y), p)
        return g, push(direction(g))

    def reverse(p, x, y):
        g, pull = jax.vjp(lambda q: gradient(q, x, y), p)
        return g, pull(direction(g))[0]

    fs = {"jit, jvp of grad": forward, "jit, linearize": linear, "jit, vjp of grad": reverse} if pair else {"jit": gradient}
    return {name: lambda f=f: timed(f, params, x, y) for name, f in fs.items()}


def convolution(which):
    x, w, dy = normal(64, 32, 32, 64), normal(3, 3, 64, 64), normal(64, 32, 32, 64)
    if which == 0:
        return {"jit": lambda: timed(conv, x, w)}
    by = {1: lambda x, w, dy: jax.vjp(lambda a: conv(a, w), x)[1](dy), 2: lambda x, w, dy: jax.vjp(lambda a: conv(x, a), w)[1](dy)}[which]
    return {"jit": lambda: timed(by, x, w, dy)}


def grouped(side, groups):
    x, w, dy = normal(32, 16, 16, 128), normal(side, side, 128 // groups, 128), normal(32, 16, 16, 128)
    return {"jit": lambda: timed(lambda x, w, dy: jax.vjp(lambda a, b: conv(a, b, pad=side // 2, groups=groups), x, w)[1](dy), x, w, dy)}


def labelled(x, n, classes=10):
    return x, jnp.asarray(draw.integers(classes, size=n))


def works():
    images = lambda n: labelled(normal(n, 32, 32, 3), n)
    tokens = jnp.asarray(draw.integers(256, size=(12, 256))), jnp.asarray(draw.integers(256, size=12 * 256))
    wide = lambda: mlp((3072, 200, 200, 10), lambda x: jax.nn.gelu(x, approximate=False))
    small = lambda: mlp((64, 64, 64, 10), jnp.tanh)
    return {
        "matmul-1024": lambda: {"jit": lambda: timed(jnp.matmul, normal(1024, 1024), normal(1024, 1024))},
        "matmul-2048": lambda: {"jit": lambda: timed(jnp.matmul, normal(2048, 2048), normal(2048, 2048))},
        "conv3x3-forward": lambda: convolution(0),
        "conv3x3-input-gradient": lambda: convolution(1),
        "conv3x3-kernel-gradient": lambda: convolution(2),
        "depthwise3x3-gradients": lambda: grouped(3, 128),
        "depthwise7x7-gradients": lambda: grouped(7, 128),
        "groups-of-4-gradients": lambda: grouped(3, 32),
        "cnn-gradient": lambda: gradient_of(cnn, *images(500)),
        "cnn-gradient-hvp": lambda: gradient_of(cnn, *images(500), pair=True),
        "resnet50-gradient": lambda: gradient_of(resnet50, *images(32)),
        "resnet50-gradient-hvp": lambda: gradient_of(resnet50, *images(32), pair=True),
        "dense-gradient": lambda: gradient_of(wide, *labelled(normal(1000, 3072), 1000)),
        "gpt-gradient": lambda: gradient_of(gpt, *tokens),
        "gpt-gradient-hvp": lambda: gradient_of(gpt, *tokens, pair=True),
        "digits-gradient": lambda: gradient_of(small, *labelled(normal(1297, 64), 1297)),
        "digits-gradient-hvp": lambda: gradient_of(small, *labelled(normal(1297, 64), 1297), pair=True),
    }
