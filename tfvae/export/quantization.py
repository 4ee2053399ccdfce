"""Quantisation with a gate: a smaller TFLite file, and what it costs in nats, by its own numbers."""

import math
import tempfile
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tensorflow_probability import distributions as tfd

from tfvae.errors import ExportError, did_you_mean, number_in, positive_int, whole_number_in
from tfvae.evaluation.printing import plain, plus_minus
from tfvae.export import formats, verification
from tfvae.export import quantization_measurement as measurement
from tfvae.export.extras import Extra
from tfvae.export.quantization_graph import Graph
from tfvae.export.quantization_measurement import Change
from tfvae.export.quantization_names import SCALE, named
from tfvae.export.quantization_schemes import Range, Scheme, rewritten
from tfvae.files import replacing
from tfvae.models.variational import AbstractVAE, require_vae

_MEASURED = ("elbo", "log_evidence", "encode")  # signatures without which the gate is blind


@dataclass(frozen=True)
class QuantizationReport:
    """What a quantised file costs, measured on it, against the float file with the same noise; nats per example."""

    scheme: str
    """The scheme, in words."""
    elbo: Change
    """Of the ELBO, one draw of z an example."""
    evidence: Change
    """Of the estimate of log p(x)."""
    posterior: Change
    """How far q(z | x) moved, from 0: see `posterior_measure`."""
    posterior_measure: str
    """KL(q || q') in nats for diagonal normals; for other families, of which a file gives mean and deviation but no
    density, a displacement: how far the mean moved, in deviations."""
    bytes_before: int
    """Size of the float file."""
    bytes_after: int
    """Size of the quantised file."""
    latency_ratio: float
    """Median time of one example over that of the float file, in the same run, in turns, on one thread."""
    costs: dict[str, float]
    """ELBO in nats per example that is lost when one tensor of weights alone is quantised, dearest first."""
    kept: tuple[str, ...]
    """The tensors of weights that stayed in float."""
    examples: int
    """Examples that were measured."""
    samples: int
    """Importance samples of the evidence."""

    @property
    def loss(self) -> float:
        """The ELBO that is lost, in nats per example."""
        return -self.elbo.change

    @property
    def blame(self) -> str:
        """The tensor of weights that costs most when it alone is quantised."""
        return next(iter(self.costs))

    def as_json(self) -> dict:
        """Return the numbers as JSON has them."""
        changes = {"elbo": self.elbo, "log_evidence": self.evidence, self.posterior_measure: self.posterior}
        return {
            "scheme": self.scheme,
            "unit": "nats per example",
            **{
                name: {"change": plain(change.change), "standard_error": plain(change.standard_error)}
                for name, change in changes.items()
            },
            "bytes": {"float": self.bytes_before, "quantised": self.bytes_after},
            "latency_ratio": plain(self.latency_ratio),
            "costs": {name: plain(cost) for name, cost in self.costs.items()},
            "kept_in_float": list(self.kept),
            "examples": self.examples,
            "samples": self.samples,
        }

    def __str__(self) -> str:
        rows = {
            "change of the ELBO": plus_minus(self.elbo.change, self.elbo.standard_error),
            "change of the evidence": plus_minus(self.evidence.change, self.evidence.standard_error),
            self.posterior_measure: plus_minus(self.posterior.change, self.posterior.standard_error),
            "bytes": f"{self.bytes_after:,} of {self.bytes_before:,}, {self.bytes_after / self.bytes_before:.2f}",
            "latency": f"{self.latency_ratio:.2f} of the float file's",
            "kept in float": ", ".join(self.kept) or "no weights",
        }
        head = f"{self.scheme}: {self.examples} examples, nats per example\n"
        costs = "\n".join(f"  {cost:9.4f}  {name}" for name, cost in self.costs.items())
        return head + "\n".join(f"{k:24} {v}" for k, v in rows.items()) + f"\nELBO lost by one tensor alone\n{costs}"


def quantize(
    model: AbstractVAE,
    path: str | Path,
    scheme: Scheme,
    data: np.ndarray,
    *,
    max_loss_nats: float = 1.0,
    keep: Collection[str] = (),
    without: Collection[str] = (),
    extras: Sequence[Extra] = (),
    source: str | Path | None = None,
    samples: int = 100,
    examples: int = 500,
    seed: int = 0,
) -> QuantizationReport:
    """Write a quantised TFLite file, unless it loses more of the ELBO than allowed.

        loss = mean_i [elbo(x_i) - elbo'(x_i)],   the same draw of z's noise on either side

    Only weights of linear operators, and with `Int8` their inputs and outputs, get fewer bits. If the loss is too large
    and the projection to the scales of a diagonal normal posterior is quantised, that projection is tried in float
    before the export is refused; the report says so in `kept`.

    Args:
        model: a model of the library.
        path: where to write; an older file there is replaced once the new one has passed.
        scheme: `Float16()`, `DynamicRange()` or `Int8(calibration)`.
        data: an array of examples [n, *event] to measure on, other ones than those of the calibration.
        max_loss_nats: the largest loss of ELBO, in nats per example.
        keep: names of weights, as in the report's `costs`, to leave in float.
        without: names of signatures to leave out; not those that measure: elbo, log_evidence, encode.
        extras: signatures beyond those, as for `tflite`.
        source: a float file that `export.tflite` wrote of this model, if there is one, to quantise: none is
            converted for it. Its signatures decide, and `without` and `extras` do not.
        samples: importance samples for each example.
        examples: how many examples to measure at most.
        seed: seed of the draws, from 0 to 2^31 - 1.

    Returns:
        A `QuantizationReport`.

    Raises:
        ExportError: if the loss is larger than allowed or not a number, naming the tensor to blame, or the model cannot
            be written as a float TFLite file or cannot offer what is measured; nothing is left behind.
        ValueError: if an argument is out of range, or a name in `keep` is that of no weights.

    Example:
        >>> import numpy as np, tempfile, tfvae
        >>> model = tfvae.zoo.vae((8, 8, 1), latent_dim=2, units=(256,), seed=0)
        >>> x = np.zeros([50, 8, 8, 1], "float32")
        >>> report = tfvae.export.quantize(model, tempfile.mkdtemp() + "/m.tflite", tfvae.export.Float16(), x)
        >>> report.loss < 0.1 and report.bytes_after < report.bytes_before
        True
    """
    require_vae(model)
    limit = number_in("max_loss_nats", max_loss_nats, 0.0)
    samples, seed = positive_int("samples", samples), whole_number_in("seed", seed, 0, 2**31 - 1)
    x = model.check.array(data)[: positive_int("examples", examples)].astype(np.float32)
    if blind := sorted(set(without) & set(_MEASURED)):
        raise ExportError(f"Expected the signatures that measure the loss, {', '.join(_MEASURED)}. Received: {without=}"
                          f", which leaves out {', '.join(blind)}")  # fmt: skip
    with tempfile.TemporaryDirectory() as scratch, replacing(path) as target:
        floats = Path(scratch, "float.tflite") if source is None else Path(source)
        if source is None:
            formats.tflite(model, floats, without, extras=extras)
        workshop = _Workshop(model, floats, scheme, x, seed)
        kept = workshop.known(keep)
        rescued = {name for name in workshop.names - kept if name.endswith(SCALE)}
        if rescued and not workshop.loss(workshop.names - kept) <= limit:
            kept |= rescued if workshop.loss(workshop.names - kept - rescued) <= limit else set()
        target.write_bytes(workshop.build(workshop.names - kept))
        formats.refuse_foreign_operators(target)
        report = workshop.report(target.read_bytes(), kept, samples)
        if not report.loss <= limit:
            raise _too_dear(report, limit, path)
    return report


class _Workshop:
    """A float file, the ways to quantise it, and what each of them loses."""

    def __init__(self, model: AbstractVAE, path: Path, scheme: Scheme, x: np.ndarray, seed: int):
        self.model, self.scheme, self.x, self.seed = model, scheme, x, seed
        self.float = content = _checked(model, path, x)
        graph = named(model, content)
        self.labels, self.divided = graph.names, graph.content()
        self.names = {graph.names[kernel.buffer] for _, kernel, _ in graph.kernels()}
        if not self.names:
            raise ExportError("Expected a model with linear layers, dense or convolutional. Received: none in the file")
        needs = model.check.array(scheme.needs).astype(np.float32) if len(scheme.needs) else np.zeros([0])
        self.ranges: dict[int, tuple[Range, Range]] = measurement.calibrated(model, self.divided, needs, seed)
        graph.only(("elbo",))
        self.alone = graph.content()  # which is enough to see what one tensor costs
        self.reference = measurement.elbos(content, x, seed)

    def known(self, keep: Collection[str]) -> set[str]:
        """Return the names to keep in float, if there are such weights."""
        for name in keep:
            if name not in self.names:
                hint = did_you_mean(name, self.names)
                raise ValueError(f"Expected names among {sorted(self.names)}.{hint} Received: keep={name!r}")
        return set(keep)

    def build(self, names: set[str]) -> bytes:
        """Return a file with these weights quantised."""
        return rewritten(Graph(self.divided, self.labels), self.scheme, names, self.ranges)

    def loss(self, names: set[str]) -> float:
        """Return the mean ELBO that is lost when these weights are quantised."""
        content = rewritten(Graph(self.alone, self.labels), self.scheme, names, self.ranges)
        return -measurement.changed(self.reference, measurement.elbos(content, self.x, self.seed)).change

    def report(self, content: bytes, kept: set[str], samples: int) -> QuantizationReport:
        """Measure a file."""
        before, after = (measurement.answers(each, self.x, samples, self.seed) for each in (self.float, content))
        diagonal = isinstance(self.model.encoder(self.x[:1]), tfd.MultivariateNormalDiag)
        distance = measurement.divergence if diagonal else measurement.displacement
        moved = distance(before, after)
        costs = {name: self.loss({name}) for name in self.names}
        dearest = sorted(costs.items(), key=lambda item: -math.inf if math.isnan(item[1]) else -item[1])
        return QuantizationReport(
            scheme=repr(self.scheme),
            elbo=measurement.changed(before.elbo, after.elbo),
            evidence=measurement.changed(before.evidence, after.evidence),
            posterior=measurement.changed(np.zeros_like(moved), moved),
            posterior_measure="KL(q || q')" if diagonal else "mean of q moved, in deviations",
            bytes_before=len(self.float),
            bytes_after=len(content),
            latency_ratio=measurement.latency_ratio(self.float, content, {"x": self.x[:1]}),
            costs=dict(dearest),
            kept=tuple(sorted(kept)),
            examples=len(self.x),
            samples=samples,
        )


def _checked(model: AbstractVAE, path: Path, x: np.ndarray) -> bytes:
    """Return the bytes of a float file, if what measures the loss is there and gives the model's numbers."""
    unchecked = ("serving_default", "decode", "generate", "log_evidence")  # which share the networks of the others
    parity = verification.verify(model, tflite=path, x=x[:2], without=unchecked)
    if not parity.worst <= formats.TFLITE_TOLERANCE:
        raise ExportError(f"Expected a float file of this model, from export.tflite. Received: {path}, with\n{parity}")
    content = path.read_bytes()
    if "log_evidence" not in measurement.offered(content):
        raise ExportError(f"Expected a file with the signature log_evidence. Received: {path}, without it")
    return content


def _too_dear(report: QuantizationReport, limit: float, path: str | Path) -> ExportError:
    return ExportError(
        f"Expected to lose at most {limit:g} nats of the ELBO per example; {path} was not written. To blame is "
        f"{report.blame}, which alone loses {report.costs[report.blame]:.4g} nats: keep it in float, "
        f"keep=({report.blame!r},), or choose another scheme. Received: a loss of {report.loss:.4g} ± "
        f"{report.elbo.standard_error:.2g} nats\n{report}"
    )
