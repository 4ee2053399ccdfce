"""What the evidence is estimated with."""

from functools import singledispatch

import tensorflow as tf
from tensorflow_probability import distributions as tfd

from tfvae.distributions.codes import CodePoint, IndependentCodes, shaped
from tfvae.distributions.special import softmax

_TEMPERATURE = 0.1  # in units of the mean squared distance to the embeddings of a codebook


@singledispatch
def proposal(q: tfd.Distribution) -> tfd.Distribution:
    """Return what the evidence is estimated with for a posterior: itself, unless it leaves out what the prior does not.

    Importance sampling needs draws of every z that has a share in log p(x) = log E_p(z)[p(x | z)].
    """
    return q


@proposal.register(CodePoint)
def _around(q: CodePoint) -> IndependentCodes:
    """Draw each of M codes anew with probability 1 / (M + 1): half of them near the chosen one, half from all K.

    Nothing is changed in more than a third of the draws, so that the estimate is not below the ELBO by much.
    """
    near = softmax(q.quantizer.closeness(q.features, q.nearest) / _TEMPERATURE, -1)  # [*B, N, L, K]
    kept = tf.equal(tf.expand_dims(q.nearest, -1), tf.range(q.quantizer.codes))
    change = 1.0 / (q.length + 1)
    mass = 0.5 * change * (near + 1.0 / q.quantizer.codes) + (1.0 - change) * tf.cast(kept, near.dtype)
    return IndependentCodes(q.quantizer, shaped(tf.math.log(mass), 3, q.length, q.quantizer.codes))
