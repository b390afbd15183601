"""What a watch records of a step: its columns, and their figures from sums over each weight.

The columns mean what those of ``shadowflow run`` mean on a full batch, which here is what the closure computes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields
from typing import Any

from ._record import Column

CLIPPED = 1e-3
"""How far the gradient that the optimizer took is from the closure's, relatively, where it counts as clipped."""

UNKNOWN = 0.05
"""The residual of an eigenvalue, over it, above which its direction is not known."""

MAX_BLOCKS = 256
"""The most weights that have columns of their own."""


@dataclass(frozen=True)
class Sums:
    """Sums over the coordinates of one weight, in float64.

    ``g`` is the closure's gradient before the step, ``taken`` the one that the optimizer took, ``f`` the update without memory, ``b`` the realized
    bias, ``q`` the gradient of the perturbed one-norm N of ``g``, and ``moved`` the step.
    """

    count: float
    excess: float  # of sqrt(g^2 + eps) over sqrt(eps)
    one: float
    square: float
    largest: float
    taken_square: float
    taken_g: float
    ff: float
    bb: float
    qf: float
    qb: float
    weight: float  # |q|
    penalized: float  # coordinates with q b > 0
    hindered: float
    penalized_weight: float
    hindered_weight: float
    moved: float  # the step's square
    missed: float  # the square of the step less -h U
    rounding: float  # the square of what rounding theta may make of the step
    excess_after: float


SUMS = tuple(f.name for f in fields(Sums))


def total(parts: Sequence[Sums]) -> Sums:
    """Returns the sums over all weights."""
    values = {name: math.fsum(getattr(p, name) for p in parts) for name in SUMS if name != "largest"}
    return Sums(largest=_largest([p.largest for p in parts]), **values)


def _largest(values: Sequence[float]) -> float:
    return math.nan if any(map(math.isnan, values)) else max(values)


def ratio(a: float, b: float) -> float:
    """Returns a/b, 0 where both are 0."""
    if b == 0:
        return 0.0 if a == 0 else math.copysign(math.inf, a)
    return a / b


def columns(blocks: Sequence[str], *, realized: bool, sharpness: bool, noise: bool, taken: bool = True) -> list[Column]:
    """Returns the columns of a watch, ``blocks`` being the weights that have their own, ``taken`` saying that the gradient is seen that the optimizer took."""
    out = [*_point(), *_bias(realized), *(_step() if taken else _step()[:2])]
    for name in blocks:
        out += _block(name, realized)
    if sharpness:
        out += _sharpness()
    if noise:
        out += _noise()
    return out


def _point() -> list[Column]:
    unit = "loss/parameter"
    return [
        Column("step", "steps", "steps taken: the row describes the parameters behind that many", "int"),
        Column("loss", "loss", "loss that the step sees, by the closure"),
        Column("perturbed_norm", unit, "perturbed one-norm N of the loss gradient that the step sees, sum_j sqrt(g_j^2 + eps)"),
        Column("excess", unit, "what of it exceeds its value at g = 0: sum_j (sqrt(g_j^2 + eps) - sqrt(eps))"),
        Column("one_norm", unit, "one-norm of that gradient"),
        Column("two_norm", unit, "two-norm of that gradient"),
        Column("max_norm", unit, "largest |g_j|"),
        Column("gradient_mean", unit, "mean of |g_j|"),
        Column("gradient_deviation", unit, "population deviation of |g_j|"),
    ]


def _bias(realized: bool) -> list[Column]:
    out = [Column("drive.main", "1/h", "dN/dt by the main term, -q.F")]
    if realized:
        out.append(
            Column(
                "drive.realized",
                "1/h",
                "dN/dt by the realized bias b of the step taken from here, -q.b: negative it acts to lower N, positive to raise it, which "
                "hinders its fall where drive.main is negative. b is 0 where it is within 4 units in the last place of U or F",
            )
        )
    observed = "dN/dt as it was over the step from here, (N after it - N here)/h, both by the closure"
    out.append(Column("drive.observed", "1/h", observed))
    if realized:
        out += [
            Column("bias.realized_share", "", "||b|| / ||F||: size of the realized bias b = U - F beside the main term; the step is -h U"),
            Column("realized.penalized", "", "fraction of coordinates that the realized bias moves so that N falls: b_j q_j > 0 with q = grad N"),
            Column("realized.hindered", "", "fraction of coordinates that the realized bias moves so that N rises"),
            Column("realized.penalized_weight", "", "fraction of sum_j |q_j| on coordinates so penalized"),
            Column("realized.hindered_weight", "", "fraction of sum_j |q_j| on coordinates so hindered"),
        ]
    return out


def _step() -> list[Column]:
    return [
        Column("step_norm", "parameter", "two-norm of the step taken from here"),
        Column("lr", "", "size h of the step from here: the first group's lr"),
        Column(
            "clip.factor",
            "",
            "projection of the gradient that the optimizer took on the closure's: below 1 it was clipped to a norm, 1 it was not",
        ),
        Column(
            "gradient_difference",
            "",
            "two-norm of the gradient that the optimizer took less clip.factor times the closure's, over that of the one taken: 0 where the closure "
            "computes the step's own loss, and no element was clipped by itself",
        ),
    ]


def _block(weight: str, realized: bool) -> list[Column]:
    out = [
        Column(f"block.{weight}.drive.main", "1/h", "the part of drive.main that the movement of this weight makes"),
        Column(
            f"block.{weight}.drive.observed",
            "1/h",
            "the part of drive.observed in the sum over this weight's gradient that N has, whichever weights' movement made it",
        ),
    ]
    if realized:
        out += [
            Column(f"block.{weight}.drive.realized", "1/h", "the part of drive.realized that this weight's movement makes"),
            Column(f"block.{weight}.realized.penalized", "", "fraction of this weight's coordinates that the realized bias moves so that N falls"),
            Column(f"block.{weight}.realized.hindered", "", "fraction of this weight's coordinates that the realized bias moves so that N rises"),
        ]
    return out


def _sharpness() -> list[Column]:
    return [
        Column("preconditioned_sharpness", "1/h", "largest eigenvalue of P^-1 H, for Adam P = diag(sqrt(v) + eps), H being that of the closure's loss"),
        Column("preconditioned_residual", "1/h", "an eigenvalue lies within this of preconditioned_sharpness"),
        Column("stability_threshold", "1/h", "preconditioned sharpness above which oscillations grow, for Adam (2 + 2 beta1)/((1 - beta1) h)"),
        Column(
            "monitor.memory_edge",
            "",
            "preconditioned sharpness over that beyond which the series of the equations without memory diverges, for Adam "
            "(1 - sqrt beta1)/((1 + sqrt beta1) h): above 1 higher orders come no nearer",
        ),
        Column(
            "monitor.period_two",
            "",
            "preconditioned sharpness over stability_threshold: above 1 oscillations grow that flip at every step, which a lift has and a stable flow has not",
        ),
        Column(
            "monitor.flip",
            "",
            "gradient along the sharpest direction of P^-1 H behind the step, over that before it: -1 in a two-cycle from side to side of the valley. "
            "Between -2 and -1/2 a step is counted as one of such; any one step may be, of those below the threshold too",
        ),
        Column(
            "monitor.lambda_grad",
            "1/h",
            "g'DHg/|g|^2, sharpness along the gradient of what alternates, for Adam D = (1 - beta1)/((1 + beta1)(1 - beta1^(n+1)) (sqrt(v) + eps)): "
            "where it stays above 2/h it is a warning of a spike of the loss",
        ),
        Column("monitor.spike_rows", "rows", "measurements in sequence up to this one with monitor.lambda_grad above 2/h", "int"),
    ]


def _noise() -> list[Column]:
    return [
        Column("noise_trace", "(loss/parameter)^2", "tr Cov of the gradients of the closure's parts: mean over the parts of ||g_j - g||^2"),
        Column(
            "noise_scale",
            "examples",
            "noise scale B_simple = tr Sigma/||g||^2, Sigma being the covariance of one example's gradient: b tr Cov/||g||^2 over (N-b)/(N-1), "
            "N examples in parts of b that have none in common",
        ),
        Column("noise_batch", "examples", "size b of the parts whose gradients were compared", "int"),
        Column(
            "monitor.noise_over_batch",
            "",
            "B_simple/b, noise_scale over noise_batch: above 1 the noise of such a part's gradient is larger than the gradient, as a vector",
        ),
    ]


def point_figures(s: Sums, loss: float, eps: float) -> dict[str, float]:
    """Returns what is known at the point before the step."""
    mean = s.one / s.count
    return {
        "loss": loss,
        "perturbed_norm": s.excess + s.count * math.sqrt(eps),
        "excess": s.excess,
        "one_norm": s.one,
        "two_norm": math.sqrt(s.square),
        "max_norm": s.largest,
        "gradient_mean": mean,
        "gradient_deviation": math.sqrt(max(0.0, s.square / s.count - mean * mean)),
    }


def step_figures(s: Sums, lr: float) -> dict[str, float]:
    """Returns the sizes of the step, and how its gradient was the closure's."""
    factor = ratio(s.taken_g, s.square)
    left = max(0.0, s.taken_square - factor * s.taken_g)
    if left < 1e-14 * s.taken_square:  # the difference of two equal numbers
        left = 0.0
    if abs(factor - 1) < CLIPPED:  # it is the same gradient, computed twice
        factor = 1.0
    return {
        "step_norm": math.sqrt(s.moved),
        "lr": lr,
        "clip.factor": factor,
        "gradient_difference": ratio(math.sqrt(left), math.sqrt(s.taken_square)),
    }


def bias_figures(s: Sums, lr: float, *, realized: bool) -> dict[str, float]:
    """Returns what the main term and the realized bias do to N, and what N did."""
    out = {"drive.main": 0.0 - s.qf, "drive.observed": (s.excess_after - s.excess) / lr}
    if realized:
        out |= {
            "drive.realized": 0.0 - s.qb,
            "bias.realized_share": ratio(math.sqrt(s.bb), math.sqrt(s.ff)),
            "realized.penalized": s.penalized / s.count,
            "realized.hindered": s.hindered / s.count,
            "realized.penalized_weight": ratio(s.penalized_weight, s.weight),
            "realized.hindered_weight": ratio(s.hindered_weight, s.weight),
        }
    return out


def block_figures(name: str, s: Sums, lr: float, *, realized: bool) -> dict[str, float]:
    """Returns a weight's parts of that."""
    all_of_it = bias_figures(s, lr, realized=realized)
    wanted = ["drive.main", "drive.observed"]
    if realized:
        wanted += ["drive.realized", "realized.penalized", "realized.hindered"]
    return {f"block.{name}.{key}": all_of_it[key] for key in wanted}


def sharpness_figures(value: float, residual: float, lr: float, responses: Sequence[Response]) -> dict[str, float]:
    """Returns what a preconditioned sharpness and its residual say beside the weights' thresholds, of which the lowest counts."""
    periods = [r.period_two() / lr for r in responses]
    first = min(range(len(periods)), key=lambda i: periods[i])
    return {
        "preconditioned_sharpness": value,
        "preconditioned_residual": residual,
        "stability_threshold": periods[first],
        "monitor.memory_edge": value * lr / responses[first].memory_edge(),
        "monitor.period_two": value / periods[first],
    }


def noise_figures(squares: Iterable[float], mean_square: float, examples: int) -> dict[str, float | int]:
    """Returns the noise of parts of so many examples, given the squared two-norms of their gradients and that of their mean."""
    all_squares = list(squares)
    parts = len(all_squares)
    trace = math.fsum(all_squares) / parts - mean_square
    whole = parts * examples
    scale = ratio(examples * trace, mean_square) * (whole - 1) / (whole - examples)
    return {
        "noise_trace": trace,
        "noise_scale": scale,
        "noise_batch": examples,
        "monitor.noise_over_batch": scale / examples,
    }


def result(step: int, steps: int, parameters: int, loss: float, rows: int, seconds: float, watching: float) -> dict[str, Any]:
    """Returns the result of a loop that ended behind ``step`` steps, ``steps`` of them watched."""
    return {
        "status": "finished" if math.isfinite(loss) or rows == 0 else "diverged",
        "step": step,
        "parameters": parameters,
        "examples": 0,
        "loss": loss,
        "accuracy": None,
        "regime": "unknown",
        "seconds": seconds,
        "costs": [
            {"kind": "watching", "count": rows, "seconds": watching},
            {"kind": "the loop itself", "count": steps, "seconds": seconds - watching},
        ],
    }


def cost_sentence(rows: int, steps: int, watching: float, seconds: float) -> str:
    """Says what watching cost."""
    share = watching / seconds if seconds > 0 else 0.0
    return f"watched {rows} of {steps:,} steps: {watching:.3g} s of {seconds:.3g} s ({share:.1%})"


@dataclass(frozen=True)
class Response:
    """What an update makes of a gradient g z^n, over what it makes of one that stays: sum of ``shares`` times z (1-beta)/(z - beta).

    A share with the decay 0 is that of the present gradient.
    """

    shares: tuple[tuple[float, float], ...]  # (share of D(1), decay)

    def at(self, z: float) -> float:
        return sum(share * z * (1 - beta) / (z - beta) for share, beta in self.shares)

    def period_two(self) -> float:
        """Returns h lambda from which the mode at -1 grows, 2 D(1)/D(-1)."""
        return 2 / self.at(-1.0)

    def memory_edge(self) -> float:
        """Returns the largest (1 - z) D(1)/D(z) between the poles and 1, where the mode of the memoryless equation leaves the real axis."""
        pole = max((beta for share, beta in self.shares if share and beta), default=0.0)
        return _peak(lambda z: (1 - z) / self.at(z), pole, 1.0)


def _peak(f: Callable[[float], float], low: float, high: float) -> float:
    """Returns the largest value of a function that rises and then falls, by golden sections."""
    golden = (math.sqrt(5) - 1) / 2
    for _ in range(80):
        a, b = high - golden * (high - low), low + golden * (high - low)
        if f(a) < f(b):
            low = a
        else:
            high = b
    return f((low + high) / 2)
