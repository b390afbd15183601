"""What export_onnx writes: the names, values and modes of the network, whichever of PyTorch's exporters it takes."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxscript")

from torch import nn  # noqa: E402

import shadowflow  # noqa: E402


@pytest.mark.parametrize("norm", [nn.BatchNorm2d(4), nn.Identity()])
def test_a_file_has_the_networks_weights_and_averages_and_trains(norm: nn.Module, tmp_path: Path) -> None:
    net = nn.Sequential(nn.Conv2d(3, 4, 3), norm, nn.Flatten(), nn.Linear(16, 5)).eval()
    state = {name: value.clone() for name, value in net.state_dict().items()}
    shadowflow.export_onnx(net, torch.randn(2, 3, 4, 4), tmp_path / "net.onnx")
    file = onnx.load(tmp_path / "net.onnx")
    written = {t.name: torch.from_numpy(onnx.numpy_helper.to_array(t).copy()) for t in file.graph.initializer}
    for name, value in state.items():
        if not name.endswith("num_batches_tracked"):
            assert torch.equal(written[name], value), name
        assert torch.equal(net.state_dict()[name], value), name
    assert not net.training
    assert file.graph.input[0].type.tensor_type.shape.dim[0].dim_param == "N"
    modes = [a.i for n in file.graph.node if n.op_type == "BatchNormalization" for a in n.attribute if a.name == "training_mode"]
    assert modes == ([1] if isinstance(norm, nn.BatchNorm2d) else [])


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_weights_keep_their_type(dtype: torch.dtype, tmp_path: Path) -> None:
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(16, 5)).to(dtype)
    shadowflow.export_onnx(net, torch.randn(2, 3, 4, 4, dtype=dtype), tmp_path / "net.onnx")
    kinds = {torch.float16: onnx.TensorProto.FLOAT16, torch.bfloat16: onnx.TensorProto.BFLOAT16, torch.float64: onnx.TensorProto.DOUBLE}
    written = {t.name: t for t in onnx.load(tmp_path / "net.onnx").graph.initializer}
    for name, value in net.state_dict().items():
        assert written[name].data_type == kinds[dtype], name
        elements = torch.from_numpy(onnx.numpy_helper.to_array(written[name]).astype("float64"))
        assert torch.equal(elements, value.double()), name


class Tied(nn.Module):
    """A language model that uses its head's weight before it uses others, which it has first under the embedding's name."""

    def __init__(self) -> None:
        super().__init__()
        self.wte, self.norm, self.head = nn.Embedding(5, 4), nn.LayerNorm(4), nn.Linear(4, 5, bias=False)
        self.wte.weight = self.head.weight

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.norm(self.wte(x)))


def test_a_tied_weight_has_the_name_and_the_place_that_the_parameters_have(tmp_path: Path) -> None:
    net = Tied()
    shadowflow.export_onnx(net, torch.randint(0, 5, (2, 7)), tmp_path / "net.onnx")
    file = onnx.load(tmp_path / "net.onnx")
    onnx.checker.check_model(file)
    written = [t.name for t in file.graph.initializer if t.data_type == onnx.TensorProto.FLOAT and t.dims]
    assert written == [name for name, _ in net.named_parameters()]


def language() -> nn.Module:
    """The GPT of docs/weights.md."""
    page: dict[str, object] = {}
    for block in re.findall(r"```python\n(.*?)```", (Path(__file__).parents[2] / "docs/weights.md").read_text(), re.S):
        exec(block, page)
    return page["GPT"](5, 9, 12, 3, 2, True)  # type: ignore[operator]


def resnet() -> nn.Module:
    return pytest.importorskip("torchvision").models.resnet18(num_classes=5)


def vision() -> nn.Module:
    models = pytest.importorskip("torchvision").models
    return models.VisionTransformer(image_size=12, patch_size=4, num_layers=2, num_heads=2, hidden_dim=8, mlp_dim=12, num_classes=5)


@pytest.mark.parametrize("make", [language, resnet, vision])
def test_all_names_are_kept(make: Callable[[], nn.Module], tmp_path: Path) -> None:
    net = make()
    shadowflow.export_onnx(net, torch.randint(0, 5, (2, 7)) if make is language else torch.randn(2, 3, 12, 12), tmp_path / "net.onnx")
    written = {t.name for t in onnx.load(tmp_path / "net.onnx").graph.initializer}
    tied = {name for name, _ in net.named_parameters(remove_duplicate=False)} - {name for name, _ in net.named_parameters()}
    missing = {name for name in net.state_dict() if not name.endswith("num_batches_tracked")} - tied - written
    assert not missing


class Offset(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("offset", torch.arange(4.0))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.offset


@pytest.mark.parametrize("norm", [nn.BatchNorm1d(4), nn.Identity()])
def test_a_file_tells_buffers_from_weights(norm: nn.Module, tmp_path: Path) -> None:
    shadowflow.export_onnx(nn.Sequential(nn.Linear(3, 4), norm, Offset()), torch.randn(2, 3), tmp_path / "net.onnx")
    kinds = {v.name: [p.value for p in v.metadata_props if p.key.endswith("InputSpec.kind")] for v in onnx.load(tmp_path / "net.onnx").graph.value_info}
    assert kinds["2.offset"] == ["BUFFER"]
    assert kinds.get("0.weight", ["PARAMETER"]) == ["PARAMETER"]


def test_dropout_that_draws_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="1 is dropout with p=0.5"):
        shadowflow.export_onnx(nn.Sequential(nn.Linear(3, 2), nn.Dropout()), torch.randn(2, 3), tmp_path / "net.onnx")
