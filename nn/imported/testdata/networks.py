"""Writes NAME.onnx, small networks that PyTorch exports, and NAME.safetensors, what PyTorch computes for them in float64, as nn/testdata/golden.py writes it.

Run in this folder with Python that has torch, onnx and onnxscript: python3 networks.py.
"""
import sys
import warnings
from pathlib import Path

import onnx
import torch
from torch import nn
from torch.nn import functional as F

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "testdata"))
from golden import EPS, save  # noqa: E402

warnings.filterwarnings("ignore")
HERE = Path(__file__).resolve().parent
CLASSES = 5


class Convolutional(nn.Module):
    """What torchvision's networks are made of: kernels with stride, groups and padding, poolings, normalization by batches, and an image flattened for a product."""

    def __init__(self):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, 6, 3, padding=1, bias=False), nn.BatchNorm2d(6)
        self.conv2, self.bn2 = nn.Conv2d(6, 6, 3, padding=1, groups=3), nn.BatchNorm2d(6)
        self.conv3, self.fc1, self.bn3, self.fc2 = nn.Conv2d(6, 4, (3, 2), stride=(1, 2)), nn.Linear(24, 8), nn.BatchNorm1d(8), nn.Linear(8, CLASSES)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.bn1(self.conv1(x))), 3, stride=2, padding=1)
        x = F.relu(self.bn2(self.conv2(x)) + x)
        x = F.avg_pool2d(x, 2, stride=1, padding=1, count_include_pad=False)
        x = F.leaky_relu(self.conv3(x), 0.1)
        return self.fc2(torch.sigmoid(self.bn3(self.fc1(x.flatten(1)))))


class Residual(nn.Module):
    """As a ResNet: blocks with a projection, and the mean over the image before the last layer."""

    def __init__(self):
        super().__init__()
        self.stem, self.norm = nn.Conv2d(3, 4, 3, padding=1, bias=False), nn.BatchNorm2d(4)
        self.a, self.na, self.down = nn.Conv2d(4, 6, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(6), nn.Conv2d(4, 6, 1, stride=2, bias=False)
        self.pool, self.fc = nn.AdaptiveAvgPool2d(1), nn.Linear(6, CLASSES)

    def forward(self, x):
        x = F.relu(self.norm(self.stem(x)))
        return self.fc(torch.flatten(self.pool(F.relu(self.na(self.a(x)) + self.down(x))), 1))


class Grouped(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.gn, self.fc = nn.Conv2d(3, 6, 3), nn.GroupNorm(2, 6), nn.Linear(6, CLASSES)

    def forward(self, x):
        return self.fc(F.silu(self.gn(self.conv(x))).mean((2, 3)))


def attend(qkv, heads, causal):
    n, tokens, width = qkv.shape
    q, k, v = (a.view(n, tokens, heads, -1).transpose(1, 2) for a in qkv.split(width // 3, dim=2))
    return F.scaled_dot_product_attention(q, k, v, is_causal=causal).transpose(1, 2).reshape(n, tokens, width // 3)


class Block(nn.Module):
    def __init__(self, width, causal, approximate):
        super().__init__()
        self.ln1, self.qkv, self.out = nn.LayerNorm(width), nn.Linear(width, 3 * width), nn.Linear(width, width, bias=False)
        self.ln2, self.up, self.down = nn.LayerNorm(width), nn.Linear(width, 2 * width), nn.Linear(2 * width, width)
        self.causal, self.gelu = causal, nn.GELU(approximate=approximate)

    def forward(self, x):
        x = x + self.out(attend(self.qkv(self.ln1(x)), 2, self.causal))
        return x + self.down(self.gelu(self.up(self.ln2(x))))


class Vision(nn.Module):
    """As torchvision's ViT: patches by a convolution, a class token, learned positions."""

    def __init__(self):
        super().__init__()
        self.patches, self.token, self.positions = nn.Conv2d(3, 8, 3, stride=3), nn.Parameter(torch.randn(1, 1, 8)), nn.Parameter(torch.randn(1, 5, 8))
        self.block, self.norm, self.head = Block(8, False, "none"), nn.LayerNorm(8), nn.Linear(8, CLASSES)

    def forward(self, x):
        x = self.patches(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.token.expand(x.shape[0], -1, -1), x], dim=1) + self.positions
        return self.head(self.norm(self.block(x))[:, 0])


class Language(nn.Module):
    """As nanoGPT, with the head's weight that of the embedding."""

    def __init__(self):
        super().__init__()
        self.wte, self.wpe, self.block, self.norm = nn.Embedding(CLASSES, 8), nn.Embedding(9, 8), Block(8, True, "tanh"), nn.LayerNorm(8)

    def forward(self, x):
        x = self.wte(x) + self.wpe(torch.arange(x.shape[1], device=x.device))
        return self.norm(self.block(x)) @ self.wte.weight.T


def write(name, model, x, dynamo):
    model = model.double().train()
    with torch.no_grad():  # away from special values: scales of 1 and shifts of 0 would hide mistakes
        for p in model.parameters():
            if p.dim() == 1:
                p += 0.1 * torch.randn_like(p)
    path = HERE / f"{name}.onnx"
    state = {k: v.clone() for k, v in model.state_dict().items()}
    if dynamo:
        torch.onnx.export(model, (x,), path, dynamo=True, optimize=False, dynamic_shapes=({0: torch.export.Dim("N")},), external_data=False)
    else:
        torch.onnx.export(model, x, path, dynamo=False, training=torch.onnx.TrainingMode.TRAINING, do_constant_folding=False, input_names=["x"], dynamic_axes={"x": {0: "N"}}, opset_version=20)
    model.load_state_dict(state)
    file = onnx.load(path)
    for part in [*file.graph.node, *file.graph.input, *file.graph.output, *file.graph.value_info, file.graph]:  # where the exporter ran
        part.ClearField("metadata_props")
        part.ClearField("doc_string")
    for t in file.graph.initializer:  # running averages, which the exporter's own pass has moved
        if t.name in state:
            t.CopyFrom(onnx.numpy_helper.from_array(state[t.name].numpy(), t.name))
    del file.graph.value_info[:]
    onnx.save(file, path)

    labels = torch.randint(0, CLASSES, x.shape if x.dtype == torch.int64 else x.shape[:1])
    out = {"x": x, "labels": labels.flatten()}
    names, params = zip(*model.named_parameters())
    logits = model(x)
    value = nn.CrossEntropyLoss()(logits.flatten(0, -2), labels.flatten())
    grads = torch.autograd.grad(value, params, create_graph=True)
    hvps = torch.autograd.grad(grads, params, [(g / (g * g + EPS).sqrt()).detach() for g in grads])
    out["logits"], out["loss"] = logits.flatten(0, -2), value
    for n, g, h in zip(names, grads, hvps):
        out["grad." + n], out["hvp." + n] = g, h
    for k, v in model.named_buffers():
        if k.endswith(("mean", "var")):
            out["after." + k] = v
    out["eval_logits"] = model.eval()(x).flatten(0, -2)
    save(HERE / f"{name}.safetensors", out, {"eps": str(EPS)})


def images(n, h, w):
    return torch.randn(n, 3, h, w, dtype=torch.float64)


if __name__ == "__main__":
    torch.manual_seed(20261128)
    torch.set_num_threads(1)
    torch.backends.cuda.enable_flash_sdp(False)  # which has no second derivative
    torch.backends.cuda.enable_mem_efficient_sdp(False)
    write("mlp", nn.Sequential(nn.Linear(7, 6), nn.Tanh(), nn.Linear(6, 4), nn.GELU(), nn.Linear(4, CLASSES)), torch.randn(6, 7, dtype=torch.float64), True)
    write("flattened", nn.Sequential(nn.Flatten(), nn.Linear(36, 4), nn.GELU(), nn.Linear(4, CLASSES)), images(4, 4, 3), False)
    write("convolutional", Convolutional(), images(4, 7, 6), False)
    write("residual", Residual(), images(4, 6, 5), False)
    write("grouped", Grouped(), images(3, 6, 5), True)
    write("grouped_older", Grouped(), images(3, 6, 5), False)
    write("vision", Vision(), images(3, 6, 6), True)
    write("vision_older", Vision(), images(3, 6, 6), False)
    write("language", Language(), torch.randint(0, CLASSES, (3, 7)), True)
    # For runs on the embedded digits, beside the built-in mlp: without golden values.
    digits = nn.Sequential(nn.Linear(64, 8), nn.Tanh(), nn.Linear(8, 10))
    torch.onnx.export(digits, torch.randn(2, 64), HERE / "digits.onnx", dynamo=False, training=torch.onnx.TrainingMode.TRAINING, do_constant_folding=False,
                      input_names=["x"], dynamic_axes={"x": {0: "N"}}, opset_version=20)
