"""The formats that tfvae writes: SavedModel, TFLite, and TFLite in fewer bits."""

from collections.abc import Callable
from pathlib import Path

import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter

from benchmarks.deployment.contestant import FUNCTIONS, Contestant, Function, Inputs
from tfvae import export
from tfvae.data import Splits
from tfvae.export.quantization_graph import Graph
from tfvae.models.variational import AbstractVAE
from tfvae.run.card import size

_NO_WORK = {"Const", "Placeholder", "Identity", "NoOp", "ReadVariableOp"}
_EXAMPLES = 500
_ANY = 1e30  # nats: the table tells the loss, however large


def saved_model(folder: Path, inputs: Inputs) -> Contestant:
    """Return the preset as TensorFlow executes it."""
    module = tf.saved_model.load(str(folder))
    made = Contestant("SavedModel, TensorFlow", size(folder))
    for name in FUNCTIONS:
        if name not in module.signatures:
            made.left_out[name] = "not in the file"
            continue
        function, tensors = module.signatures[name], {key: tf.constant(x) for key, x in inputs[name].items()}
        library = function.graph.as_graph_def().library.function
        count = sum(node.op not in _NO_WORK for each in library for node in each.node_def)
        outputs = {key: value.numpy() for key, value in function(**tensors).items()}
        made.functions[name] = Function(_bound(function, tensors, module), count, outputs)
    return made


def tflite(name: str, path: Path, inputs: Inputs, exact: bool = True) -> Contestant:
    """Return a TFLite file as LiteRT executes it, on one thread."""
    content = path.read_bytes()
    interpreter, graph = Interpreter(model_content=content, num_threads=1), Graph(content, {})
    operators = {
        entry.signatureKey.decode(): len(graph.model.subgraphs[entry.subgraphIndex].operators)
        for entry in graph.model.signatureDefs
    }
    made = Contestant(name, len(content))
    for function in FUNCTIONS:
        if function not in operators:
            made.left_out[function] = "not in the file"
            continue
        run = interpreter.get_signature_runner(function)
        outputs = run(**inputs[function])
        made.functions[function] = Function(
            _bound(run, inputs[function]), operators[function], outputs if exact else None
        )
    return made


def quantised(model: AbstractVAE, source: Path, folder: Path, splits: Splits, inputs: Inputs) -> list[Contestant]:
    """Return the preset in fewer bits, by each scheme, with what that costs."""
    calibration = splits.array("validation")[:_EXAMPLES]
    found = []
    for scheme in (export.Float16(), export.DynamicRange(), export.Int8(calibration)):
        path = folder / f"{type(scheme).__name__}.tflite"
        report = export.quantize(
            model, path, scheme, splits.array("test"), max_loss_nats=_ANY, source=source, examples=_EXAMPLES, samples=1
        )
        made = tflite(f"TFLite, {type(scheme).__name__}", path, inputs, exact=False)
        made.lost = (report.loss, report.elbo.standard_error)
        found.append(made)
    return found


def _bound(function: Callable, inputs: dict, owner: object = None) -> Callable[[], object]:
    """Return the call; `owner` keeps alive what the function does not, such as a SavedModel's variables."""
    return lambda: (function(**inputs), owner)
