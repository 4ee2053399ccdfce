"""The same model through tf2onnx in ONNX Runtime, for one batch size."""

from collections.abc import Callable
from pathlib import Path

import onnxruntime
import tensorflow as tf
import tf2onnx
from tensorflow.python.eager.polymorphic_function.concrete_function import ConcreteFunction
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

from benchmarks.deployment.contestant import Contestant, Function, Inputs
from tfvae import export
from tfvae.models.variational import AbstractVAE

_OPSET = 18


def contestant(model: AbstractVAE, folder: Path, inputs: Inputs) -> Contestant:
    """Return the model as ONNX Runtime executes it, on one thread.

    Its bytes are those of the largest of the three files: that of the ELBO holds both networks.
    """
    made = Contestant("ONNX Runtime", 0)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    for name in inputs:
        signature, path = export.signatures(model)[name], folder / f"{name}.onnx"
        specs = [tf.TensorSpec(inputs[name][key].shape, spec.dtype, key) for key, spec in signature.inputs.items()]
        traced = tf.function(signature.function, autograph=False).get_concrete_function(*specs)
        frozen, names = _frozen(traced)
        try:
            proto, _ = tf2onnx.convert.from_graph_def(
                frozen, input_names=[each.name for each in traced.inputs[: len(specs)]], output_names=names,
                opset=_OPSET, custom_op_handlers={"FloorMod": (_modulo, [])}, output_path=str(path),
            )  # fmt: skip
            session = onnxruntime.InferenceSession(str(path), options)
        except (KeyError, ValueError, NotImplementedError, onnxruntime.capi.onnxruntime_pybind11_state.Fail,
                onnxruntime.capi.onnxruntime_pybind11_state.InvalidGraph) as error:  # fmt: skip
            made.left_out[name] = f"tf2onnx does not convert it: {type(error).__name__}: {error}".split("\n")[0][:120]
            continue
        feeds = {each.name: inputs[name][each.name.split(":")[0]] for each in session.get_inputs()}
        outputs = dict(zip(sorted(signature.function(**inputs[name])), session.run(names, feeds), strict=True))
        count = sum(node.op_type != "Constant" for node in proto.graph.node)
        made.functions[name] = Function(_bound(session, names, feeds), count, outputs)
        made.bytes = max(made.bytes, path.stat().st_size)
    return made


def _bound(session: onnxruntime.InferenceSession, names: list[str], feeds: dict) -> Callable[[], object]:
    return lambda: session.run(names, feeds)


def _frozen(traced: ConcreteFunction) -> tuple[tf.compat.v1.GraphDef, list[str]]:
    """Return the graph of a function with its weights in it, and the names of its outputs.

    Constants that the function holds, such as a fixed prior's, are inputs of its graph; tf2onnx would leave them so.
    """
    frozen = convert_variables_to_constants_v2(traced)
    graph = frozen.graph.as_graph_def()
    held = {inner.op.name: outer for outer, inner in frozen.graph.captures if outer.dtype != tf.resource}
    for node in graph.node:
        if node.name in held:
            node.op = "Const"
            node.attr.clear()
            node.attr["dtype"].type = held[node.name].dtype.as_datatype_enum
            node.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(held[node.name]))
    return graph, [each.name for each in frozen.outputs]


def _modulo(ctx: object, node: tf2onnx.graph.Node, name: str, args: list) -> None:
    """Convert a remainder of whole numbers, whose sign is the divisor's: tf2onnx's own rule gives the dividend's."""
    node.type = "Mod"
    node.set_attr("fmod", 0)
