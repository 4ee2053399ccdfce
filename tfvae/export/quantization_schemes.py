"""Schemes of quantisation: what becomes of a linear operator, y = W x + b, in fewer bits."""

import copy
from collections.abc import Collection
from typing import NamedTuple

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from tfvae.export.quantization_graph import OPERATOR, Graph, Kernel, Scales

_LEVELS = 127  # of an int8 with a sign, symmetric
_HEAD = "/projection/linear/kernel"  # in the name of weights that give a distribution's parameters
_MOST = 2**30  # of an int32 bias, which a sum is yet added to
# The versions of the operators that first took 8 bits: for each, with float inputs and with whole ones.
_HYBRID = {OPERATOR.FULLY_CONNECTED: 12, OPERATOR.CONV_2D: 5, OPERATOR.DEPTHWISE_CONV_2D: 6}
_WHOLE = {
    OPERATOR.FULLY_CONNECTED: 4, OPERATOR.CONV_2D: 3, OPERATOR.DEPTHWISE_CONV_2D: 3, OPERATOR.TRANSPOSE_CONV: 3,
}  # fmt: skip


class Range(NamedTuple):
    """The smallest and largest value of a tensor, zero among them."""

    low: float
    high: float

    def parameters(self) -> Scales:
        """Return scale and zero point of an int8 that covers the range."""
        scale = max(self.high - self.low, 1e-8) / 255.0
        return Scales([scale], [round(-128 - self.low / scale)])


class Block:
    """A subgraph while it is rewritten: its new operators, and which tensors exist in 8 bits or only there."""

    def __init__(self, graph: Graph, subgraph: schema.SubGraphT):
        self.graph, self.subgraph = graph, subgraph
        self.operators: list = []
        self.eight: dict[int, int] = {}
        self._absent: set[int] = set()
        self._constants: dict[tuple, int] = {}

    def add(
        self, code: int, version: int, inputs: list[int], output: int, like: schema.OperatorT | None = None
    ) -> None:
        """Append an operator."""
        self.operators.append(self.graph.operator(code, version, inputs, output, like))

    def keep(self, operator: schema.OperatorT) -> None:
        """Append an operator as it is: in float, unless it only reshapes what exists in 8 bits alone."""
        inputs = [int(index) for index in ([] if operator.inputs is None else operator.inputs)]
        if self.graph.code(operator) == OPERATOR.RESHAPE and inputs[0] in self._absent:
            source, output = self.eight[inputs[0]], int(operator.outputs[0])
            reshaped = self.whole_output(output, self.subgraph.tensors[source].quantization)
            self.add(OPERATOR.RESHAPE, 1, [source, *inputs[1:]], reshaped, like=operator)
            return
        self._need_floats(inputs)
        self.operators.append(operator)

    def whole_input(self, index: int, bounds: Range) -> int:
        """Return the int8 twin of a float tensor, quantised here unless it exists already."""
        if index not in self.eight:
            twin = self.graph.twin(self.subgraph, index, "int8", bounds.parameters())
            self.add(OPERATOR.QUANTIZE, 1, [index], twin)
            self.eight[index] = twin
        return self.eight[index]

    def whole_output(self, index: int, parameters: schema.QuantizationParametersT) -> int:
        """Return a new int8 tensor in place of a float one, which is made from it only if something asks for it."""
        self.eight[index] = self.graph.twin(self.subgraph, index, "int8", parameters)
        self._absent.add(index)
        return self.eight[index]

    def expanded(self, weights: int, constant: int, version: int) -> int:
        """Return a float tensor made from a constant in fewer bits, once in a subgraph."""
        key = (weights, self.subgraph.tensors[constant].type)
        if key not in self._constants:
            self._constants[key] = self.graph.twin(self.subgraph, weights, "float32")
            self.add(OPERATOR.DEQUANTIZE, version, [constant], self._constants[key])
        return self._constants[key]

    def finish(self) -> None:
        """Put the operators into the subgraph."""
        self._need_floats([int(index) for index in self.subgraph.outputs])
        self.subgraph.operators = self.operators

    def _need_floats(self, indices: list[int]) -> None:
        for index in indices:
            if index in self._absent:
                self._absent.discard(index)
                self.add(OPERATOR.DEQUANTIZE, 2, [self.eight[index]], index)


class Scheme:
    """How many bits weights and activations get (abstract)."""

    needs: Collection = ()
    """Examples from which ranges of activations are measured; none, for most."""

    def rewrite(
        self, block: Block, operator: schema.OperatorT, kernel: Kernel, ranges: dict[int, tuple[Range, Range]]
    ) -> None:
        """Append the operator with fewer bits; `ranges` holds those of its input and output, by the weights' buffer."""
        raise NotImplementedError


class Float16(Scheme):
    """Weights in half precision, computed with in single precision: half the bytes.

    Example:
        >>> import tfvae
        >>> tfvae.export.Float16()
        Float16()
    """

    def rewrite(
        self, block: Block, operator: schema.OperatorT, kernel: Kernel, ranges: dict[int, tuple[Range, Range]]
    ) -> None:
        tensor = block.subgraph.tensors[kernel.weights]
        with np.errstate(over="ignore"):  # what half precision cannot hold becomes infinite, which the gate sees
            half = block.graph.values(tensor).astype(np.float16)
        constant = block.graph.constant(block.subgraph, tensor.name, half)
        _replaced(block, operator, kernel, block.expanded(kernel.weights, constant, 3))

    def __repr__(self) -> str:
        return "Float16()"


class DynamicRange(Scheme):
    """Weights in 8 bits with a scale for each output; activations are quantised as they come, and stay float between.

    Transposed convolutions, which have no such kernel, compute in float with weights that lie in 8 bits in the file.

    Example:
        >>> import tfvae
        >>> tfvae.export.DynamicRange()
        DynamicRange()
    """

    def rewrite(
        self, block: Block, operator: schema.OperatorT, kernel: Kernel, ranges: dict[int, tuple[Range, Range]]
    ) -> None:
        constant, _ = _whole_weights(block, kernel)
        if kernel.code not in _HYBRID:
            _replaced(block, operator, kernel, block.expanded(kernel.weights, constant, 5))
            return
        block.keep(_with(block, operator, kernel, constant, _HYBRID[kernel.code]))
        made = block.operators[-1]
        if kernel.code == OPERATOR.FULLY_CONNECTED:
            made.builtinOptions = copy.copy(made.builtinOptions)
            made.builtinOptions.asymmetricQuantizeInputs = True

    def __repr__(self) -> str:
        return "DynamicRange()"


class Int8(Scheme):
    """Weights and activations of the networks in 8 bits; densities, divergences and noise are computed in float.

    A density in 8 bits would be off by nats for any model: its terms are large, and their differences matter. Ranges
    of activations are those that the calibration examples, their draws of z and as many from the prior reach. What
    they never reach, such as an encoder applied to pseudo-inputs only, stays in float. The parameters of a distribution
    are given in float too, by 8-bit weights as in `DynamicRange`: 256 levels for a location or a scale cost nats.

    Args:
        calibration: an array of examples [n, *event]; some hundreds of the training data.
        whole_heads: compute the parameters of distributions in 8 bits as well, for hardware that has nothing else.

    Raises:
        ValueError: if there are none.

    Example:
        >>> import numpy as np, tfvae
        >>> tfvae.export.Int8(np.zeros([100, 8, 8, 1], "float32"))
        Int8(100 examples)
    """

    def __init__(self, calibration: np.ndarray, *, whole_heads: bool = False):
        self.needs, self.whole_heads = np.asarray(calibration), whole_heads
        if not self.needs.size or self.needs.ndim < 2:
            raise ValueError(f"Expected examples to calibrate with, [n, *event]. Received: shape={self.needs.shape}")

    def rewrite(
        self, block: Block, operator: schema.OperatorT, kernel: Kernel, ranges: dict[int, tuple[Range, Range]]
    ) -> None:
        if kernel.buffer not in ranges:
            block.keep(operator)
            return
        if not self.whole_heads and _HEAD in block.graph.names[kernel.buffer] and kernel.code in _HYBRID:
            DynamicRange().rewrite(block, operator, kernel, ranges)
            return
        before, after = ranges[kernel.buffer]
        data = block.whole_input(kernel.data, before)
        constant, bias = _whole_weights(block, kernel, block.subgraph.tensors[data].quantization.scale[0])
        inputs = [int(index) for index in operator.inputs]
        inputs[kernel.places.data], inputs[kernel.places.weights] = data, constant
        if bias >= 0:
            inputs[kernel.places.bias] = bias
        output = block.whole_output(kernel.output, after.parameters())
        block.add(kernel.code, _WHOLE[kernel.code], inputs, output, like=operator)

    def __repr__(self) -> str:
        return f"Int8({len(self.needs)} examples{', whole_heads=True' * self.whole_heads})"


def rewritten(graph: Graph, scheme: Scheme, chosen: Collection[str], ranges: dict[int, tuple[Range, Range]]) -> bytes:
    """Return the file with the chosen weights, by name, in the scheme; the graph is used up."""
    for subgraph in graph.model.subgraphs:
        block = Block(graph, subgraph)
        for operator in subgraph.operators:
            kernel = graph.kernel(subgraph, operator)
            if kernel is not None and graph.names[kernel.buffer] in chosen:
                scheme.rewrite(block, operator, kernel, ranges)
            else:
                block.keep(operator)
        block.finish()
    return graph.content()


def _whole_weights(block: Block, kernel: Kernel, input_scale: float = 0.0) -> tuple[int, int]:
    """Return the weights as int8 and, for whole inputs, the bias as int32, both with a scale for each output."""
    graph, tensors = block.graph, block.subgraph.tensors
    key = (kernel.buffer, input_scale, kernel.bias >= 0 and tensors[kernel.bias].buffer)
    if key not in graph.made:
        bias = None if kernel.bias < 0 else graph.values(tensors[kernel.bias])
        graph.made[key] = _rounded(graph.values(tensors[kernel.weights]), bias, kernel.places.channel, input_scale)
    whole, scale, shift, steps = graph.made[key]
    constant = graph.constant(block.subgraph, tensors[kernel.weights].name, whole, scale)
    if kernel.bias < 0 or not input_scale:
        return constant, -1
    return constant, graph.constant(block.subgraph, tensors[kernel.bias].name, shift, steps)


def _rounded(values: np.ndarray, bias: np.ndarray | None, axis: int, input_scale: float) -> tuple:
    """Return weights as int8 with their scales, and the bias as int32 with its own: 0 for none."""
    others = tuple(i for i in range(values.ndim) if i != axis)
    scale = np.max(np.abs(values), others) / _LEVELS
    bias = np.zeros(len(scale)) if bias is None else bias
    if input_scale:
        scale = np.maximum(scale, np.abs(bias) / (input_scale * _MOST))  # or a small row's bias would overflow
    scale = np.where(scale > 0, scale, 1.0).astype(np.float32)
    along = scale.reshape([-1 if i == axis else 1 for i in range(values.ndim)])
    whole = np.clip(np.round(values / along), -_LEVELS, _LEVELS).astype(np.int8)
    zeros, steps = [0] * len(scale), (input_scale or 1.0) * scale.astype(np.float64)
    shift = np.round(bias / steps) if input_scale else np.zeros(len(scale))
    return whole, Scales(scale, zeros, axis), shift.astype(np.int32), Scales(steps, zeros)


def _with(block: Block, operator: schema.OperatorT, kernel: Kernel, weights: int, version: int) -> schema.OperatorT:
    inputs = [int(index) for index in operator.inputs]
    inputs[kernel.places.weights] = weights
    return block.graph.operator(kernel.code, version, inputs, kernel.output, like=operator)


def _replaced(block: Block, operator: schema.OperatorT, kernel: Kernel, weights: int) -> None:
    """Append the operator with other float weights."""
    made = copy.copy(operator)
    made.inputs = [int(index) for index in operator.inputs]
    made.inputs[kernel.places.weights] = weights
    block.keep(made)
