"""Writes files as networks.py does of torchvision's own networks, narrow ones, and of the ResNet that is built in here; and files whose exporters lost names.

Run in this folder with Python that has torch, torchvision, onnx and onnxscript: python3 torchvision_networks.py. With a folder, it writes torchvision's networks
as they are there instead, which are too large to keep.
"""
import copy
import sys
from pathlib import Path

import onnx
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode
from torchvision.models import resnet18, resnet50
from torchvision.models.resnet import BasicBlock, Bottleneck, ResNet
from torchvision.models.vision_transformer import VisionTransformer

from networks import CLASSES, HERE, Convolutional, images, write
from golden import ResNet as BuiltIn  # docs/weights.md shows it; networks.py says where golden is


class Narrow(ResNet):
    """torchvision's ResNet with its forward pass, stem, blocks and names, but few channels, which its constructor has no setting for."""

    def __init__(self, block, counts, planes):
        super().__init__(block, [1, 1, 1, 1], num_classes=CLASSES)
        self.inplanes = planes[0]
        self.conv1, self.bn1 = nn.Conv2d(3, planes[0], 7, stride=2, padding=3, bias=False), nn.BatchNorm2d(planes[0])
        for i, count in enumerate(counts):
            setattr(self, f"layer{i + 1}", self._make_layer(block, planes[i], count, stride=1 if i == 0 else 2))
        self.fc = nn.Linear(planes[-1] * block.expansion, CLASSES)


class Fresh(nn.Module):
    """For digits, as a transformer when training begins: scales of 1 and shifts of 0, equal where an exporter that optimizes looks for equal ones."""

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.LayerNorm(6), nn.Linear(6, 6, bias=False), nn.LayerNorm(6), nn.Linear(6, 6, bias=False))
        self.first, self.head = nn.Linear(64, 12, bias=False), nn.Linear(6, 10)

    def forward(self, x):
        return self.head(torch.tanh(self.layers(self.first(x).reshape(-1, 2, 6))).mean(1))


class Buffers(nn.Module):
    """For digits: a buffer and a constant of the code beside the weights, and a mask that an exporter folds into one of infinities."""

    def __init__(self):
        super().__init__()
        self.fc, self.head, self.offset = nn.Linear(64, 6), nn.Linear(6, 10), torch.full((6,), 0.5)
        self.register_buffer("positions", torch.arange(6.0))

    def forward(self, x):
        x = self.fc(x) + self.positions * self.offset
        hidden = torch.zeros(6, 6).masked_fill(torch.ones(6, 6, dtype=torch.bool).triu(1), -torch.inf)
        return self.head((torch.tanh(x)[:, :, None] * x[:, None, :] + hidden).softmax(2).sum(2) * torch.tensor([2.0]))


def write_lost(name, net, x, dynamo, **settings):
    """An export that loses names, or merges or folds weights; of what the exporter says besides, what tells weights apart stays."""
    path, net = HERE / f"{name}.onnx", copy.deepcopy(net)
    if dynamo:
        torch.onnx.export(net.eval(), (x,), path, dynamo=True, optimize=True, dynamic_shapes=({0: torch.export.Dim("N")},), external_data=False, **settings)
    else:
        torch.onnx.export(net, (x,), path, dynamo=False, do_constant_folding=True, input_names=["x"], dynamic_axes={"x": {0: "N"}}, **settings)
    file = onnx.load(path)
    for node in file.graph.node:
        keep = [p for p in node.metadata_props if p.key in ("namespace", "pkg.onnxscript.rewriter.rule_name")]
        del node.metadata_props[:]
        node.metadata_props.extend(keep)
        node.ClearField("doc_string")
    for part in [*file.graph.input, *file.graph.output, *file.graph.initializer, file.graph]:
        part.ClearField("metadata_props")
        part.ClearField("doc_string")
    initializers = {t.name for t in file.graph.initializer}
    said = [v for v in file.graph.value_info if v.name in initializers]  # which of them are parameters
    del file.graph.value_info[:]
    file.graph.value_info.extend(said)
    onnx.save(file, path)


def write_counted(name, net, x, dynamo=False):
    """Writes a network as networks.py does, and returns what a gradient costs by PyTorch's counter."""
    write(name, net, x, dynamo)
    with FlopCounterMode(display=False) as counter:
        nn.CrossEntropyLoss()(net.train()(x), torch.zeros(len(x), dtype=torch.int64)).backward()
    return f"{Path(name).name} {counter.get_total_flops()}\n"


def vision(net):
    """Away from the zeros of torchvision's head, where the gradient ends."""
    nn.init.normal_(net.heads.head.weight, std=0.3)
    nn.init.normal_(net.class_token, std=0.3)
    return net


def write_full(folder):
    flops = write_counted(folder / "resnet18", resnet18(num_classes=CLASSES), images(3, 64, 64))
    flops += write_counted(folder / "resnet50", resnet50(num_classes=CLASSES), images(3, 64, 64))
    (folder / "flops.txt").write_text(flops)


if __name__ == "__main__":
    torch.manual_seed(20261129)
    torch.set_num_threads(1)
    torch.backends.cuda.enable_flash_sdp(False)  # which has no second derivative
    torch.backends.cuda.enable_mem_efficient_sdp(False)
    if len(sys.argv) > 1:
        write_full(Path(sys.argv[1]).resolve())
        sys.exit()
    flops = write_counted("resnet_built_in", BuiltIn([2, 1], True, 4, 3, CLASSES), images(4, 6, 6))
    flops += write_counted("resnet_basic", Narrow(BasicBlock, [2, 1, 1, 1], [3, 4, 5, 6]), images(4, 30, 26))
    flops += write_counted("resnet_bottleneck", Narrow(Bottleneck, [2, 1, 1, 1], [2, 3, 3, 4]), images(4, 30, 26))
    net = VisionTransformer(image_size=12, patch_size=4, num_layers=2, num_heads=2, hidden_dim=8, mlp_dim=12, num_classes=CLASSES)
    flops += write_counted("vit", vision(net), images(3, 12, 12), True)
    (HERE / "flops.txt").write_text(flops)

    torch.manual_seed(1)
    rows, fresh = torch.randn(2, 64), Fresh()
    write_lost("lost", fresh, rows, True)
    write_lost("lost_again", fresh, rows, True, opset_version=22)
    write_lost("lost_older", fresh, rows, False, opset_version=20)
    write_lost("lost_older_again", fresh, rows, False, opset_version=14)
    write_lost("buffers", Buffers(), rows, True)
    write_lost("folded", Convolutional(), images(2, 7, 6).float(), True)
    write_lost("folded_older", Convolutional().eval(), images(2, 7, 6).float(), False, opset_version=20)
