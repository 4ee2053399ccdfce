"""What the models of sequences share: how their parts are joined."""

from collections.abc import Callable

import keras

from tfvae import heads, networks
from tfvae.conditional import Decoder, Encoder
from tfvae.errors import event_shape
from tfvae.heads import Head
from tfvae.models import Emission, Filter, Smoother
from tfvae.priors import Dynamics

Parts = tuple[Filter | Smoother, Emission, Dynamics]


def of_step(units: tuple[int, ...]) -> keras.Sequential:
    """Return a network of one step of x, of which values may be missing."""
    return keras.Sequential([networks.FillMissing(), *networks.mlp(*units).layers])


def per_step(input_shape: tuple[int, ...], likelihood: Head | None) -> tuple[int, Head]:
    """Return the number of steps, and the head of one: Bernoulli if None, with steps and values missing."""
    steps, *step = event_shape("input_shape", input_shape)
    if not step:
        raise ValueError(f"Expected steps and the shape of one, such as (160, 88). Received: input_shape={input_shape}")
    return steps, heads.Incomplete(heads.Bernoulli(tuple(step))) if likelihood is None else likelihood


def gated_transition(latent_dim: int, units: tuple[int, ...]) -> keras.Model:
    """Return features of z_{t-1} between a linear step and any other, by a gate for each element.

        [(1 - g) (W z + b) + g h'(z), relu(h'(z))],   g = sigmoid(h(z))

    The head's linear layer makes of them the mean, which in the paper is the first half, and the deviation.
    """
    z = keras.Input((latent_dim,))
    gate = keras.layers.Dense(latent_dim, activation="sigmoid")(networks.mlp(*units)(z))
    other = keras.layers.Dense(latent_dim)(networks.mlp(*units)(z))
    linear = keras.layers.Dense(latent_dim, kernel_initializer="identity")(z)
    between = keras.layers.Add()([linear, keras.layers.Multiply()([gate, keras.layers.Subtract()([other, linear])])])
    return keras.Model(z, keras.layers.Concatenate()([between, keras.layers.ReLU()(other)]))


def markov(
    input_shape: tuple[int, ...], latent_dim: int, units: tuple[int, ...], likelihood: Head | None,
    posterior: Callable[[Encoder, Dynamics], Filter | Smoother],
) -> Parts:  # fmt: skip
    """Return a posterior, p(x_t | z_t) and the chain p(z_t | z_{t-1}) with a gated transition.

    Args:
        input_shape: T and the shape of a step.
        latent_dim: length of z_t.
        units: widths of the layers of each network.
        likelihood: the head of a step; Bernoulli if None.
        posterior: from q(z_t | z_{t-1}, g_t) and the dynamics to the encoder.
    """
    steps, head = per_step(input_shape, likelihood)
    transition = Decoder(gated_transition(latent_dim, units), heads.DiagonalNormal(latent_dim), name="transition")
    emission = Decoder(networks.mlp(*units), head, name="emission")
    dynamics = Dynamics(transition, emission, steps, networks.Latest())
    part = Encoder(networks.mlp(*units, activation="tanh"), heads.DiagonalNormal(latent_dim), name="combiner")
    return posterior(part, dynamics), Emission(dynamics, name="decoder"), dynamics


def recurrent(input_shape: tuple[int, ...], latent_dim: int, units: tuple[int, ...], likelihood: Head | None) -> Parts:
    """Return q(z_t | m_{t-1}, x_t), p(x_t | z_t, m_{t-1}) and p(z_t | m_{t-1}) around one recurrent network.

    Args:
        input_shape: T and the shape of a step.
        latent_dim: length of z_t.
        units: widths of the layers of each network; the recurrent one has as many units as the last.
        likelihood: the head of a step; Bernoulli if None.
    """
    steps, head = per_step(input_shape, likelihood)
    of_x = of_step(units)
    transition = Decoder(networks.mlp(*units), heads.DiagonalNormal(latent_dim), name="transition")
    emission = Decoder(networks.mlp(*units), head, name="emission")
    dynamics = Dynamics(transition, emission, steps, networks.Recurrent(units[-1], of_x, networks.mlp(*units)))
    part = Encoder(networks.mlp(*units), heads.DiagonalNormal(latent_dim), name="part")
    return Filter(of_x, part, dynamics, name="encoder"), Emission(dynamics, name="decoder"), dynamics
