"""Networks: functions that return plain Keras models, tensor to tensor, with no probability in them.

| function | from | to |
|---|---|---|
| `mlp`, `gated` | anything, flattened | a vector |
| `conv`, `residual_down` | images [height, width, channels] | a vector |
| `deconv`, `residual_up` | a vector | images |
| `conv1d` | signals [length, channels] | a vector |
| `deconv1d` | a vector | signals |
| `columns` | records of numbers, counts and categories | a vector |
| `count_mlp` | counts, flattened | a vector |
| `simplex_mlp` | logarithms of probabilities, flattened | a vector |

What they are made of and Keras lacks are layers: `GatedDense`, `Residual`, which `bottleneck` returns, `ResidualBlock`,
`Columns`, `FillMissing`, `Last`, `Log1p`. They go before any network:
`keras.Sequential([networks.Log1p(), networks.gated(300)])`.
"""

from tfvae.networks.convolutional import conv, deconv
from tfvae.networks.dense import Last, mlp, simplex_mlp
from tfvae.networks.gated import GatedDense, gated
from tfvae.networks.missing import FillMissing
from tfvae.networks.residual import Residual, ResidualBlock, bottleneck, residual_down, residual_up
from tfvae.networks.signals import conv1d, deconv1d
from tfvae.networks.tabular import Columns, Log1p, columns, count_mlp

__all__ = [
    "Columns",
    "FillMissing",
    "GatedDense",
    "Last",
    "Log1p",
    "Residual",
    "ResidualBlock",
    "bottleneck",
    "columns",
    "conv",
    "conv1d",
    "count_mlp",
    "deconv",
    "deconv1d",
    "gated",
    "mlp",
    "residual_down",
    "residual_up",
    "simplex_mlp",
]
