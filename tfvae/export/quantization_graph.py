"""A TFLite file as objects: its linear operators with constant weights, and what it takes to rewrite them."""

import copy
from collections.abc import Collection, Sequence
from typing import NamedTuple

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

OPERATOR, TYPE = schema.BuiltinOperator, schema.TensorType
_TYPES = {"float32": TYPE.FLOAT32, "float16": TYPE.FLOAT16, "int32": TYPE.INT32, "int8": TYPE.INT8}


class _Places(NamedTuple):
    """Where an operator keeps its parts, and which axis of the weights counts the outputs."""

    data: int
    weights: int
    bias: int
    channel: int


_KINDS = {
    OPERATOR.FULLY_CONNECTED: _Places(0, 1, 2, 0),
    OPERATOR.CONV_2D: _Places(0, 1, 2, 0),
    OPERATOR.DEPTHWISE_CONV_2D: _Places(0, 1, 2, 3),
    OPERATOR.TRANSPOSE_CONV: _Places(2, 1, 3, 0),
}


class Kernel(NamedTuple):
    """A linear operator: y = activation(W x + b), with tensors by their index in the subgraph, -1 for none."""

    code: int
    places: _Places
    data: int
    weights: int
    bias: int
    output: int
    buffer: int
    """That of the weights: one for all signatures, so that it says which tensor of the model they are."""


class Graph:
    """A TFLite file that can be changed; whoever shares a buffer of weights shares their name.

    Args:
        content: the bytes of the file.
        names: what to call the weights in a buffer, by its index; others are called as in the file.
    """

    def __init__(self, content: bytes, names: dict[int, str]):
        self.model = schema.ModelT.InitFromPackedBuf(content, 0)
        self.names = dict(names)
        self.made: dict[tuple, tuple] = {}
        """What was computed for the weights of a buffer, for all operators that share it."""
        self._known: dict[tuple[str, bytes], int] = {}
        for _, kernel, tensor in self.kernels():
            self.names.setdefault(kernel.buffer, tensor.name.decode())

    def kernels(self) -> list[tuple[int, Kernel, schema.TensorT]]:
        """Return the linear operators: the index of the subgraph, the operator, and the tensor of its weights."""
        found = []
        for index, subgraph in enumerate(self.model.subgraphs):
            for operator in subgraph.operators:
                kernel = self.kernel(subgraph, operator)
                if kernel is not None:
                    found.append((index, kernel, subgraph.tensors[kernel.weights]))
        return found

    def kernel(self, subgraph: schema.SubGraphT, operator: schema.OperatorT) -> Kernel | None:
        """Return the operator if it is linear, with constant weights in float32; None for all others."""
        code = self.code(operator)
        if code not in _KINDS:
            return None
        places, inputs = _KINDS[code], [int(index) for index in operator.inputs]
        tensor = subgraph.tensors[inputs[places.weights]]
        if tensor.type != TYPE.FLOAT32 or self.model.buffers[tensor.buffer].data is None:
            return None
        bias = inputs[places.bias] if len(inputs) > places.bias else -1
        if bias >= 0 and self.model.buffers[subgraph.tensors[bias].buffer].data is None:
            return None
        return Kernel(
            code, places, inputs[places.data], inputs[places.weights], bias, int(operator.outputs[0]), tensor.buffer
        )

    def code(self, operator: schema.OperatorT) -> int:
        """Return which builtin operator it is."""
        entry = self.model.operatorCodes[operator.opcodeIndex]
        return max(entry.builtinCode, entry.deprecatedBuiltinCode)

    def values(self, tensor: schema.TensorT) -> np.ndarray:
        """Return the values of a constant float32 tensor."""
        return np.asarray(self.model.buffers[tensor.buffer].data).view(np.float32).reshape(tensor.shape)

    def constant(
        self,
        subgraph: schema.SubGraphT,
        name: bytes,
        values: np.ndarray,
        quantization: schema.QuantizationParametersT = None,
    ) -> int:
        """Add a constant and return its index; equal values lie in the file once."""
        raw = np.ascontiguousarray(values).tobytes()
        key = (values.dtype.name, raw)
        if key not in self._known:
            self._known[key] = len(self.model.buffers)
            buffer = schema.BufferT()
            buffer.data = np.frombuffer(raw, np.uint8)
            self.model.buffers.append(buffer)
        tensor = schema.TensorT()
        tensor.name, tensor.shape, tensor.type = name, list(values.shape), _TYPES[values.dtype.name]
        tensor.buffer, tensor.quantization, tensor.hasRank = self._known[key], quantization, True
        return _add(subgraph, tensor)

    def twin(
        self,
        subgraph: schema.SubGraphT,
        index: int,
        dtype: str,
        quantization: schema.QuantizationParametersT = None,
        width: int = 0,
    ) -> int:
        """Add a computed tensor of another type beside one, with its shape, or another width, and return its index."""
        tensor = copy.copy(subgraph.tensors[index])
        tensor.type, tensor.quantization, tensor.buffer = _TYPES[dtype], quantization, 0
        if width:
            tensor.shape = [*list(tensor.shape)[:-1], width]
            if tensor.shapeSignature is not None:
                tensor.shapeSignature = [*list(tensor.shapeSignature)[:-1], width]
        return _add(subgraph, tensor)

    def operator(
        self, code: int, version: int, inputs: list[int], output: int, like: schema.OperatorT | None = None
    ) -> schema.OperatorT:
        """Return a new operator, with the options of another one."""
        made = schema.OperatorT() if like is None else copy.copy(like)
        made.opcodeIndex, made.inputs, made.outputs = self._opcode(code, version), inputs, [output]
        return made

    def content(self) -> bytes:
        """Return the bytes of the file, without the constants that no operator uses any more."""
        # The oldest runtime was noted for the operators that were there before.
        self.model.metadata = [m for m in self.model.metadata or [] if m.name != b"min_runtime_version"]
        used = {0} | {entry.buffer for entry in self.model.metadata}
        for subgraph in self.model.subgraphs:
            lists = [subgraph.inputs, subgraph.outputs]
            lists += [part for each in subgraph.operators for part in (each.inputs, each.outputs) if part is not None]
            alive = {int(index) for part in lists for index in part}
            for index, tensor in enumerate(subgraph.tensors):
                if index in alive:
                    used.add(tensor.buffer)
                else:
                    tensor.buffer = 0
        for index, buffer in enumerate(self.model.buffers):
            if index not in used:
                buffer.data = None
        builder = flatbuffers.Builder(1 << 20)
        builder.Finish(self.model.Pack(builder), b"TFL3")
        return bytes(builder.Output())

    def only(self, names: Collection[str]) -> None:
        """Drop every signature but these, and the subgraphs that only others reach."""
        model = self.model
        model.signatureDefs = [entry for entry in model.signatureDefs if entry.signatureKey.decode() in names]
        reached, ahead = [], [entry.subgraphIndex for entry in model.signatureDefs]
        while ahead:
            index = ahead.pop(0)
            if index not in reached:
                reached.append(index)
                ahead += [where for each in model.subgraphs[index].operators for _, where in _calls(each)]
        for index in reached:
            for operator in model.subgraphs[index].operators:
                for field, where in _calls(operator):
                    setattr(operator.builtinOptions, field, reached.index(where))
        for entry in model.signatureDefs:
            entry.subgraphIndex = reached.index(entry.subgraphIndex)
        model.subgraphs = [model.subgraphs[index] for index in reached]

    def _opcode(self, code: int, version: int) -> int:
        for index, entry in enumerate(self.model.operatorCodes):
            if max(entry.builtinCode, entry.deprecatedBuiltinCode) == code and entry.version == version:
                return index
        entry = schema.OperatorCodeT()
        entry.builtinCode, entry.deprecatedBuiltinCode, entry.version = code, min(code, 127), version
        self.model.operatorCodes.append(entry)
        return len(self.model.operatorCodes) - 1


class Scales(schema.QuantizationParametersT):
    """Real = scale * (whole - zero point), a pair for each channel of an axis; in a file once, whoever has them.

    Args:
        values: the scales.
        zero_points: as many whole numbers.
        axis: that of the channels.
    """

    def __init__(self, values: Sequence[float] | np.ndarray, zero_points: Sequence[int], axis: int = 0):
        super().__init__()
        self.scale, self.zeroPoint = [float(value) for value in values], [int(value) for value in zero_points]
        self.quantizedDimension = axis
        self._packed: tuple[object, int] = (None, 0)

    def Pack(self, builder: flatbuffers.Builder) -> int:
        """Return the place in the file, written at the first call."""
        if self._packed[0] is not builder:
            self._packed = (builder, super().Pack(builder))
        return self._packed[1]


def divide(graph: Graph, buffer: int, names: tuple[str, str]) -> None:
    """Make two operators of each dense one with these weights, one for either half of its outputs, and join them.

    A posterior's locations and scales then are tensors of their own, that can differ in precision.
    """
    for subgraph in graph.model.subgraphs:
        operators = []
        for operator in subgraph.operators:
            kernel = graph.kernel(subgraph, operator)
            if kernel is None or kernel.buffer != buffer or kernel.code != OPERATOR.FULLY_CONNECTED:
                operators.append(operator)
                continue
            weights = np.split(graph.values(subgraph.tensors[kernel.weights]), 2)
            biases = [None, None] if kernel.bias < 0 else np.split(graph.values(subgraph.tensors[kernel.bias]), 2)
            halves = []
            for name, matrix, bias in zip(names, weights, biases, strict=True):
                rows = graph.constant(subgraph, name.encode(), matrix)
                graph.names[subgraph.tensors[rows].buffer] = name
                shift = -1 if bias is None else graph.constant(subgraph, name.encode() + b" bias", bias)
                half = graph.twin(subgraph, kernel.output, "float32", width=len(matrix))
                operators.append(graph.operator(kernel.code, 1, [kernel.data, rows, shift], half, like=operator))
                halves.append(half)
            operators.append(_joined(graph, halves, kernel.output))
        subgraph.operators = operators


def _calls(operator: schema.OperatorT) -> list[tuple[str, int]]:
    """Return the fields of an operator, such as a loop, that name other subgraphs, and which they name."""
    fields = vars(operator.builtinOptions) if operator.builtinOptions is not None else {}
    return [(name, index) for name, index in fields.items() if name.lower().endswith("subgraphindex")]


def _joined(graph: Graph, parts: list[int], output: int) -> schema.OperatorT:
    made = graph.operator(OPERATOR.CONCATENATION, 1, parts, output)
    made.builtinOptionsType = schema.BuiltinOptions.ConcatenationOptions
    made.builtinOptions = schema.ConcatenationOptionsT()
    made.builtinOptions.axis = -1
    return made


def _add(subgraph: schema.SubGraphT, tensor: schema.TensorT) -> int:
    subgraph.tensors.append(tensor)
    return len(subgraph.tensors) - 1
