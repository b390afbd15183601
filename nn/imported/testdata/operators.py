"""Writes operators/NAME.onnx and .safetensors as networks.py writes its networks, for operators that those do not have, and opsets/NAME_OPSET.onnx, networks of networks.py
in other opsets, without golden values of their own.

Run in this folder with Python that has torch, torchvision, onnx and onnxscript, after networks.py: python3 operators.py.
"""
import contextlib
import math

import networks
import onnx
import torch
from networks import CLASSES, HERE, Convolutional, Grouped, Language, Vision, images, write
from onnx import TensorProto, helper, numpy_helper
from torch import nn
from torch.nn import functional as F
from torchvision.models.swin_transformer import SwinTransformer


class Dilated(nn.Module):
    """Convolutions whose taps lie apart: with padding, in groups, with a stride that shares a factor with the dilation, and one that does not."""

    def __init__(self):
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(3, 6, 3, padding=2, dilation=2), nn.Conv2d(6, 6, (3, 2), padding=(1, 2), dilation=(1, 3), groups=6)
        self.conv3, self.conv4, self.fc = nn.Conv2d(6, 4, 2, stride=2, padding=1, dilation=3), nn.Conv2d(4, 4, 2, stride=2, padding=1, dilation=2), nn.Linear(16, CLASSES)

    def forward(self, x):
        return self.fc(torch.tanh(self.conv4(torch.tanh(self.conv3(torch.tanh(self.conv2(torch.tanh(self.conv1(x)))))))).flatten(1))


class Ceiled(nn.Module):
    """Poolings whose last windows hang over the image, and over its padding."""

    def __init__(self):
        super().__init__()
        self.conv, self.fc = nn.Conv2d(3, 2, 3, padding=1), nn.Linear(164, CLASSES)

    def forward(self, x):
        x = self.conv(x)
        pooled = [
            F.max_pool2d(x, 3, stride=2, ceil_mode=True),
            F.max_pool2d(x, 2, stride=3, padding=1, ceil_mode=True),
            F.max_pool2d(x, (3, 2), stride=(1, 3), padding=1, dilation=(2, 3), ceil_mode=True), F.max_pool2d(x, 2, stride=2, dilation=(3, 1)),
            F.avg_pool2d(x, 2, stride=2, ceil_mode=True),
            F.avg_pool2d(x, 3, stride=2, padding=1, ceil_mode=True, count_include_pad=False),
            F.avg_pool2d(x, (3, 2), stride=(3, 4), padding=(1, 1), ceil_mode=True),
            F.avg_pool2d(x, 4, stride=3, padding=1, ceil_mode=True),
        ]
        return self.fc(torch.cat([p.flatten(1) for p in pooled], 1))


class Activations(nn.Module):
    """One beside another. Numbers are such that float32 holds them: PyTorch has 1/alpha of Celu in it, and files the bounds of Clip."""

    def __init__(self):
        super().__init__()
        self.fc1, self.prelu, self.fc2 = nn.Linear(7, 6), nn.PReLU(6), nn.Linear(72, CLASSES)

    def forward(self, x):
        x = 2 * self.fc1(x)
        ramp = F.hardsigmoid(x) if torch.onnx.is_in_onnx_export() or torch.compiler.is_exporting() else F.relu6(x + 3) / 6  # whose second derivative PyTorch has
        parts = [F.hardswish(x), ramp, F.softplus(x), F.elu(x, 0.7), F.selu(x), F.celu(x, 0.5), F.silu(x), F.mish(x), F.softsign(x), self.prelu(x),
                 torch.clamp(x, -0.5, 0.75), F.relu6(3 * x)]
        return self.fc2(torch.cat(parts, 1))


class Picked(nn.Module):
    """Functions along several axes, reductions, and parts of images in other orders."""

    def __init__(self):
        super().__init__()
        self.conv, self.fc = nn.Conv2d(3, 4, 3, padding=1), nn.Linear(209, CLASSES)
        self.register_buffer("places", torch.tensor([3, 0, 2]))

    def forward(self, x):
        x = self.conv(x)
        parts = [
            x.softmax(1), x.log_softmax(2)[:, :1], x[:, :, ::2, 1::3], x.flip(3)[:, 1:3], torch.index_select(x, 1, self.places)[:, :, 3:],
            F.pad(x, (1, 2, 0, -1), value=0.5)[:, 3:], x.amax((2, 3)), x.amin(1), torch.linalg.vector_norm(x, dim=1), (x * x).sum(3), x.abs().sum((1, 2)),
        ]
        return self.fc(torch.cat([p.flatten(1) for p in parts], 1))


class Lines(nn.Module):
    """Convolutions, normalizations and poolings of [N, C, L]."""

    def __init__(self):
        super().__init__()
        self.conv1, self.bn = nn.Conv1d(2, 4, 3, padding=1, bias=False), nn.BatchNorm1d(4)
        self.conv2, self.gn, self.conv3, self.fc = nn.Conv1d(4, 4, 2, padding=1, dilation=2, groups=2), nn.GroupNorm(2, 4), nn.Conv1d(4, 3, 1), nn.Linear(15, CLASSES)

    def forward(self, x):
        x = F.max_pool1d(F.relu(self.bn(self.conv1(x.view(-1, 2, 8)))), 3, stride=2, ceil_mode=True)
        x = F.avg_pool1d(self.gn(self.conv2(x)), 2, stride=1, padding=1)
        return self.fc(self.conv3(torch.tanh(x)).flatten(1)) + F.adaptive_avg_pool1d(x, 1).sum(1)


class Heads(nn.Module):
    """Attention of four heads of queries to two of keys and values, with a mask that is no triangle."""

    def __init__(self):
        super().__init__()
        self.wte, self.q, self.kv, self.out, self.head = nn.Embedding(CLASSES, 8), nn.Linear(8, 12), nn.Linear(8, 12), nn.Linear(12, 8), nn.Linear(8, CLASSES)
        self.norm = nn.RMSNorm(8, eps=1e-3)

    def forward(self, x):
        x = self.wte(x)
        mask = torch.where((torch.arange(7)[:, None] + 2 * torch.arange(7)) % 5 == 1, -math.inf, 0.0).double()
        q = self.q(x).view(-1, 7, 4, 3).transpose(1, 2)
        k, v = (a.view(-1, 7, 2, 3).transpose(1, 2) for a in self.kv(x).split(6, dim=2))
        y = F.scaled_dot_product_attention(q, k, v, attn_mask=mask, enable_gqa=True)
        return self.head(self.norm(x + self.out(y.transpose(1, 2).reshape(-1, 7, 12))))


class Flat(nn.Module):
    """As Heads, of what a file has as [N, tokens, heads*size], causal and with truth values for a mask; and Swish with a slope, means and sums of several arrays."""

    def __init__(self):
        super().__init__()
        self.wte, self.q, self.k, self.v, self.head = (nn.Parameter(torch.randn(*s)) for s in ((CLASSES, 8), (8, 12), (8, 6), (8, 4), (8, CLASSES)))
        self.mask = torch.arange(7) % 3 != 1

    def forward(self, x):
        x = self.wte[x]
        q, k, v = (x @ self.q).view(-1, 7, 4, 3).transpose(1, 2), (x @ self.k).view(-1, 7, 2, 3).transpose(1, 2), (x @ self.v).view(-1, 7, 2, 2).transpose(1, 2)
        mask = torch.where(self.mask & torch.ones(7, 7, dtype=torch.bool).tril(), 0.0, -math.inf).double()
        y = F.scaled_dot_product_attention(q, k, v, attn_mask=mask, scale=0.4, enable_gqa=True).transpose(1, 2).reshape(-1, 7, 8)
        swish = y * torch.sigmoid(1.5 * y)
        both = (x + y + swish) / 3
        return (both + x + y) @ self.head

    def file(self):
        nodes = [
            n("Gather", ["wte", "x"], ["e"]), n("MatMul", ["e", "q"], ["qs"]), n("MatMul", ["e", "k"], ["ks"]), n("MatMul", ["e", "v"], ["vs"]),
            n("Attention", ["qs", "ks", "vs", "mask"], ["y"], q_num_heads=4, kv_num_heads=2, is_causal=1, scale=0.4), n("Swish", ["y"], ["s"], alpha=1.5),
            n("Mean", ["e", "y", "s"], ["m"]), n("Sum", ["m", "e", "y"], ["t"]), n("MatMul", ["t", "head"], ["z"]),
        ]
        return made(self, nodes, TensorProto.INT64, ["N", 7, CLASSES], 24, mask=self.mask.numpy()[None])


class Made(nn.Module):
    """Operators that the exporters do not write, or only for some networks."""

    def __init__(self):
        super().__init__()
        self.w, self.v = nn.Parameter(torch.randn(7, 6)), nn.Parameter(torch.randn(144, CLASSES) / 4)

    def forward(self, x):
        h = x @ self.w
        small, twice, shown = h > 0.3, h * h >= 2, (torch.arange(6) % 2 == 0)[None]
        parts = [
            F.celu(h, 0.5), F.mish(h), F.softsign(h), F.elu(h, 0.7), F.selu(h), F.hardswish(h), torch.clamp(0.3 * h + 0.4, 0, 1), F.softplus(h),
            h.abs().sum(1, keepdim=True), (h * h).sum(1, keepdim=True), h.amin(1, keepdim=True), h.amax(1, keepdim=True), torch.linalg.vector_norm(h, dim=1, keepdim=True),
            torch.where(small & ~twice, h, 0.5 * h * h), torch.where(small | shown, h.exp(), -h), torch.where(small ^ (h <= 1), h * h, h), torch.where(h < -0.2, h, (h == 0).double()),
            torch.maximum(torch.maximum(h, -0.4 * h), h * h - 1), torch.minimum(torch.minimum(h, 0.4 * h + 0.1), 1 - h), 1 / (1.5 + h.tanh()), h.log_softmax(1), h.erf(),
            h[:, [4, 1, 1]], h[:, 1::2], h.flip(1)[:, ::2], F.pad(h, (-1, 2), value=-0.7), h[:, 2:3],
            h[:, [4, 1]], (1.5 + h.tanh()).log(), (h * h + 0.3) ** 1.5, F.group_norm(h[:, :, None], 2, torch.linspace(0.5, 2, 6).double(), torch.linspace(1, -1, 6).double())[:, :, 0],
        ]
        return torch.cat(parts, 1) @ self.v

    def file(self):
        c = {k: torch.tensor(v, dtype=torch.float64).numpy() for k, v in {
            "0": 0, "1": 1, "-1": -1, ".5": 0.5, ".3": 0.3, "2": 2, "-.2": -0.2, ".4": 0.4, "-.4": -0.4, ".1": 0.1, "1.5": 1.5, "-.7": -0.7}.items()}
        c |= {k: torch.tensor(v).numpy() for k, v in {
            "a1": [1], "p411": [4, 1, 1], "from1": [1], "to6": [6], "by2": [2], "from5": [5], "to-9": [-9], "by-2": [-2], "pads": [0, -1, 0, 2], "by-1": [-1], "at2": 2, "at2s": [2], "places": [[4], [-5]], "six": [1] * 6}.items()}
        c["scale"], c["shift"] = torch.linspace(0.5, 2, 6).double().numpy(), torch.linspace(1, -1, 6).double().numpy()
        c["shown"] = (torch.arange(6) % 2 == 0).numpy()[None]
        parts, nodes = [], [n("MatMul", ["x", "w"], ["h"])]

        def add(op, *inputs, **attributes):
            nodes.append(n(op, inputs, [f"y{len(nodes)}"], **attributes))
            return f"y{len(nodes) - 1}"

        def part(*args, **attributes):
            parts.append(add(*args, **attributes))

        part("Celu", "h", alpha=0.5), part("Mish", "h"), part("Softsign", "h"), part("Elu", "h", alpha=0.7), part("Selu", "h"), part("HardSwish", "h")
        part("HardSigmoid", "h", alpha=0.3, beta=0.4), part("Softplus", "h")
        part("ReduceL1", "h", "a1"), part("ReduceSumSquare", "h", "a1"), part("ReduceMin", "h", "a1"), part("ReduceMax", "h", "a1"), part("ReduceL2", "h", "a1")
        square, small, negative = add("Mul", "h", "h"), add("Greater", "h", ".3"), add("Neg", "h")
        part("Where", add("And", small, add("Not", add("GreaterOrEqual", square, "2"))), "h", add("Mul", ".5", square))
        part("Where", add("Or", small, "shown"), add("Exp", "h"), negative)
        part("Where", add("Xor", small, add("LessOrEqual", "h", "1")), square, "h")
        part("Where", add("Less", "h", "-.2"), "h", add("Cast", add("Equal", "h", "0"), to=TensorProto.DOUBLE))
        part("Max", "h", add("Mul", "-.4", "h"), add("Sub", square, "1")), part("Min", "h", add("Add", add("Mul", ".4", "h"), ".1"), add("Sub", "1", "h"))
        above = add("Add", "1.5", add("Tanh", "h"))
        part("Reciprocal", above), part("LogSoftmax", "h", axis=1), part("Erf", add("Dropout", "h", ".4"))
        part("Gather", "h", "p411", axis=1), part("Slice", "h", "from1", "to6", "a1", "by2"), part("Slice", "h", "from5", "to-9", "a1", "by-2"), part("Pad", "h", "pads", "-.7")
        part("SequenceAt", add("SplitToSequence", "h", "six", axis=1), "at2")
        part("Transpose", add("GatherND", add("Transpose", "h", perm=[1, 0]), "places"), perm=[1, 0])
        part("Log", above), part("Pow", add("Add", square, ".3"), "1.5")
        part("Squeeze", add("GroupNormalization", add("Unsqueeze", "h", "at2s"), "scale", "shift", num_groups=2), "at2s")
        nodes += [n("Concat", parts, ["all"], axis=1), n("MatMul", ["all", "v"], ["z"])]
        return made(self, nodes, TensorProto.DOUBLE, ["N", CLASSES], 22, **c)


n = helper.make_node


def made(model, nodes, kind, shape, opset, **constants):
    """A file of nodes from x, rows of 7, to z, with the parameters of a model and what is known."""
    tensors = [numpy_helper.from_array(p.detach().numpy(), name) for name, p in model.named_parameters()]
    nodes = [n("Constant", [], [name], value=numpy_helper.from_array(a)) for name, a in constants.items()] + nodes
    graph = helper.make_graph(nodes, "made", [helper.make_tensor_value_info("x", kind, ["N", 7])], [helper.make_tensor_value_info("z", TensorProto.DOUBLE, shape)], tensors)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])


@contextlib.contextmanager
def exported(by):
    """Has write export by another function than torch.onnx.export, which is the first argument."""
    usual = torch.onnx.export
    torch.onnx.export = lambda *args, **options: by(usual, *args, **options)
    yield
    torch.onnx.export = usual


def at_opset(opset):
    return exported(lambda export, *args, **options: export(*args, **{**options, "opset_version": opset}))


def again(name, model, x, opset, dynamo):
    """Exports a network of networks.py, with the weights that its file has, in another opset."""
    file = onnx.load(HERE / f"{name}.onnx")
    state = {t.name: torch.tensor(numpy_helper.to_array(t)) for t in file.graph.initializer}
    model = model.double().train()
    model.load_state_dict({k: state.get(k, v) for k, v in model.state_dict().items()})
    path = HERE / f"opsets/{name}_{opset}.onnx"
    if dynamo:
        torch.onnx.export(model, (x,), path, dynamo=True, optimize=False, dynamic_shapes=({0: torch.export.Dim("N")},), external_data=False, opset_version=opset)
    else:
        torch.onnx.export(model, x, path, dynamo=False, training=torch.onnx.TrainingMode.TRAINING, do_constant_folding=False, input_names=["x"], dynamic_axes={"x": {0: "N"}},
                          opset_version=opset)
    file = onnx.load(path)
    found = {o.domain: o.version for o in file.opset_import}
    assert found[""] == opset, (name, opset, found)
    for part in [*file.graph.node, *file.graph.input, *file.graph.output, file.graph]:  # where the exporter ran
        part.ClearField("metadata_props")
        part.ClearField("doc_string")
    del file.graph.value_info[:]
    for t in file.graph.initializer:  # running averages, which the exporter's own pass has moved
        if t.name in state:
            t.CopyFrom(numpy_helper.from_array(state[t.name].numpy(), t.name))
    onnx.save(file, path)


def rows(n, d):
    return torch.randn(n, d, dtype=torch.float64)


def tokens():
    return torch.randint(0, CLASSES, (3, 7))


if __name__ == "__main__":
    torch.manual_seed(20261129)
    torch.set_num_threads(1)
    torch.backends.cuda.enable_flash_sdp(False)  # which has no second derivative
    torch.backends.cuda.enable_mem_efficient_sdp(False)
    networks.HERE = HERE / "operators"
    write("dilated", Dilated(), images(3, 9, 8), True)
    write("ceiled", Ceiled(), images(3, 7, 6), True)
    write("ceiled_older", Ceiled(), images(3, 7, 6), False)
    write("activations", Activations(), rows(4, 7), True)
    write("activations_older", Activations(), rows(4, 7), False)
    write("picked", Picked(), images(3, 4, 4), True)
    write("picked_older", Picked(), images(3, 4, 4), False)
    write("lines", Lines(), rows(4, 16), False)
    with at_opset(23):
        write("heads", Heads(), tokens(), True)
    with exported(lambda export, model, x, path, **options: onnx.save(model.file(), path)):
        write("flat", Flat(), tokens(), True)
        write("made", Made(), rows(5, 7), True)
    # Attention in shifted windows has an index by a table, and a mask that is filled by parts.
    write("windows", SwinTransformer([2, 2], 8, [2], [2], [2, 2], mlp_ratio=2.0, stochastic_depth_prob=0.0, num_classes=CLASSES), images(2, 8, 8), True)
    for opset in range(13, 18):
        again("grouped_older", Grouped(), images(3, 6, 5), opset, False)
    for opset in (18, 19, 21, 22, 24):
        again("grouped", Grouped(), images(3, 6, 5), opset, True)
    for opset in (13, 18):
        again("convolutional", Convolutional(), images(4, 7, 6), opset, False)
    again("vision_older", Vision(), images(3, 6, 6), 15, False)
    for opset in (18, 23, 24):
        again("language", Language(), tokens(), opset, True)
