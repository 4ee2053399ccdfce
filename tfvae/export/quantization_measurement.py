"""What a TFLite file gives on data, and how that differs from what another one gives with the same noise."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter, OpResolverType

from tfvae.evaluation.batches import standard_error
from tfvae.export.quantization_graph import Graph
from tfvae.export.quantization_schemes import Range
from tfvae.models.variational import AbstractVAE
from tfvae.random import Seed, as_seed, draw

_BATCH = 100
_TURNS = 31  # runs of either file by which their latencies are compared


@dataclass(frozen=True)
class Change:
    """A mean over examples that changed, with the error of the change: the noise is the same, so it is paired."""

    before: float
    """Of the float file."""
    after: float
    """Of the quantised file."""
    change: float
    """Mean of after less before."""
    standard_error: float
    """Standard error of the change over the examples."""


@dataclass(frozen=True)
class Answers:
    """What a file says of each example."""

    elbo: np.ndarray
    evidence: np.ndarray
    mean: np.ndarray
    stddev: np.ndarray


def changed(before: np.ndarray, after: np.ndarray) -> Change:
    """Compare two measurements of the same examples, [n] each; what is not finite makes the change so."""
    with np.errstate(invalid="ignore"):
        difference = after.astype(np.float64) - before.astype(np.float64)
        error = standard_error(difference)
    return Change(float(before.mean()), float(after.mean()), float(difference.mean()), error)


def offered(content: bytes) -> list[str]:
    """Return the names of a file's signatures."""
    return sorted(Interpreter(model_content=content, num_threads=1).get_signature_list())


def elbos(content: bytes, x: np.ndarray, seed: int) -> np.ndarray:
    """Return the ELBO of each example, one draw of z each, by the file's own signature."""
    runner = Interpreter(model_content=content, num_threads=1).get_signature_runner("elbo")
    return np.concatenate([runner(x=part, seed=words)["elbo"] for part, words in _batches(x, seed)])


def answers(content: bytes, x: np.ndarray, samples: int, seed: int) -> Answers:
    """Return ELBO, evidence, and mean and deviation of the posterior for each example, by the file's signatures."""
    interpreter = Interpreter(model_content=content, num_threads=1)
    weigh, encode = (interpreter.get_signature_runner(name) for name in ("log_evidence", "encode"))
    evidence, mean, stddev = [], [], []
    for part, words in _batches(x, seed):
        evidence.append(weigh(x=part, samples=np.int32(samples), seed=words)["log_evidence"])
        q = encode(x=part)
        mean.append(q["mean"])
        stddev.append(q["stddev"])
    return Answers(elbos(content, x, seed), np.concatenate(evidence), np.concatenate(mean), np.concatenate(stddev))


def divergence(before: Answers, after: Answers) -> np.ndarray:
    """Return KL(q || q') for each example, [n], where q are normal with diagonal covariances.

    KL = sum_d log s'_d / s_d + (s_d^2 + (m_d - m'_d)^2) / (2 s'_d^2) - 1/2
    """
    m, s = before.mean.astype(np.float64), before.stddev.astype(np.float64)
    other, wide = after.mean.astype(np.float64), after.stddev.astype(np.float64)
    with np.errstate(all="ignore"):
        terms = np.log(wide / s) + (s**2 + (m - other) ** 2) / (2.0 * wide**2) - 0.5
    return terms.sum(-1)


def displacement(before: Answers, after: Answers) -> np.ndarray:
    """Return how far the means moved, in deviations, for each example, [n]: root of the mean square over z_d."""
    moved = (after.mean - before.mean) / np.maximum(before.stddev, 1e-12)
    return np.sqrt(np.mean(moved.astype(np.float64) ** 2, -1))


def latency_ratio(before: bytes, after: bytes, inputs: dict[str, np.ndarray]) -> float:
    """Return the median time of reconstructing in the second file over that in the first, which take turns.

    Of encoding, where the files do not reconstruct.
    """
    interpreters = [Interpreter(model_content=content, num_threads=1) for content in (before, after)]
    name = "serving_default" if "serving_default" in offered(before) else "encode"
    runners = [interpreter.get_signature_runner(name) for interpreter in interpreters]
    for run in runners:
        run(**inputs)  # the first one plans memory
    seconds = np.array([[_timed(run, inputs) for run in runners] for _ in range(_TURNS)])
    first, second = np.median(seconds, 0)
    return float(second / first)


def calibrated(model: AbstractVAE, content: bytes, x: np.ndarray, seed: int) -> dict[int, tuple[Range, Range]]:
    """Return the ranges of input and output of every linear operator, by the buffer of its weights.

    Args:
        model: the model, of which z are drawn to decode.
        content: the float file.
        x: examples to encode; nothing is measured without any.
        seed: seed of the draws.
    """
    found: dict[int, tuple[Range, Range]] = {}
    if not len(x):
        return found
    # Delegates fuse operators and keep no tensors between them.
    interpreter = Interpreter(
        model_content=content,
        num_threads=1,
        experimental_preserve_all_tensors=True,
        experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
    )
    graph = Graph(content, {})
    subgraphs = {entry.signatureKey.decode(): entry.subgraphIndex for entry in graph.model.signatureDefs}
    for name, inputs in _calibration(model, x, seed):
        if name not in subgraphs:
            continue
        interpreter.get_signature_runner(name)(**inputs)
        for index, kernel, _ in graph.kernels():
            if index == subgraphs[name]:
                seen = [interpreter.get_tensor(tensor, index) for tensor in (kernel.data, kernel.output)]
                ranges = [Range(min(0.0, float(t.min())), max(0.0, float(t.max()))) for t in seen]
                found[kernel.buffer] = _wider(found.get(kernel.buffer, tuple(ranges)), ranges)
    return found


def _calibration(model: AbstractVAE, x: np.ndarray, seed: int) -> Iterator[tuple[str, dict[str, np.ndarray]]]:
    for part, words in _batches(x, seed):
        yield "encode", {"x": part}
        yield "serving_default", {"x": part}
        yield "decode", {"z": draw(model.encoder(part), 1, as_seed(words)).numpy()[0]}
        yield "decode", {"z": draw(model.prior(), len(part), Seed(tf.constant(words))).numpy()}


def _wider(known: tuple, seen: list[Range]) -> tuple[Range, Range]:
    before, after = (Range(min(a.low, b.low), max(a.high, b.high)) for a, b in zip(known, seen, strict=True))
    return before, after


def _batches(x: np.ndarray, seed: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield batches with seeds, a batch's own: the noise of an example depends on its place in the data alone."""
    for number, first in enumerate(range(0, len(x), _BATCH)):
        yield x[first : first + _BATCH], np.array([seed, number], np.int32)


def _timed(run: Callable, inputs: dict[str, np.ndarray]) -> float:
    start = time.perf_counter()
    run(**inputs)
    return time.perf_counter() - start
