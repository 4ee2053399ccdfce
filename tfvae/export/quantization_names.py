"""What the weights in a TFLite file are called in the model that it was made of."""

import numpy as np
import tensorflow as tf

from tfvae.export.quantization_graph import Graph, divide
from tfvae.heads import DiagonalNormal
from tfvae.models.variational import AbstractVAE
from tfvae.networks.masked import Mask, Masked

SCALE = " (scale)"
"""What the name of a posterior's projection to its scales ends with."""


def named(model: AbstractVAE, content: bytes) -> Graph:
    """Return a file as a graph whose weights are called as the model's variables, a posterior's scales apart."""
    graph, variables = Graph(content, {}), _variables(model)
    head = getattr(model.encoder, "head", None)
    posterior = head.projection.linear.kernel if isinstance(head, DiagonalNormal) else None
    masks = _masks(model)
    ordered = {
        name: np.sort(np.ravel(masks.get(id(variable), tf.identity)(tf.convert_to_tensor(variable))))
        for name, variable in variables.items()
    }
    divided = {}
    for _, kernel, tensor in graph.kernels():
        values = np.sort(np.ravel(graph.values(tensor)))  # the file transposes them
        for name in (name for name, others in ordered.items() if np.array_equal(values, others)):
            graph.names[kernel.buffer] = name
            if variables[name] is posterior:
                divided[kernel.buffer] = name
            break
    for buffer, name in divided.items():
        divide(graph, buffer, (name + " (location)", name + SCALE))
    return graph


def _masks(model: AbstractVAE) -> dict[int, Mask]:
    """Return the masks of the kernels that have one, by the variable's id: a file holds their product."""
    return {
        id(kernel): mask
        for part in (model.encoder, model.decoder, model.prior)
        for layer in part._flatten_layers()
        if isinstance(layer, Masked)
        for kernel, mask in zip(layer.kernels, layer.masks, strict=True)
    }


def _variables(model: AbstractVAE) -> dict[str, object]:
    """Return the model's variables by part and path, which differ: a loaded model's paths begin below the part."""
    found: dict[str, object] = {}
    for part in ("encoder", "decoder", "prior"):
        for variable in getattr(model, part).variables:
            path = part + "/" + variable.path.removeprefix(part + "/")
            known = any(variable is other for other in found.values())
            if not known:
                found[path if path not in found else f"{path} #{len(found)}"] = variable
    return found
