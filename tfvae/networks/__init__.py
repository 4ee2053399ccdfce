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
| `CausalTransformer` | whole numbers, one after another | logits of each, given those before it |

What they are made of and Keras lacks are layers: `GatedDense`, `Residual`, which `bottleneck` returns, `ResidualBlock`,
`Columns`, `CodeGrid`, `FillMissing`, `Last`, `Log1p`. They go before any network: `keras.Sequential([networks.Log1p(),
*networks.gated(300).layers])`. `Concatenated` and `AsChannels` make a network of several inputs of one: of x and a
condition, of z and a condition. Of sequences, a model remembers `Latest` or `Recurrent`, and looks ahead through
`Backward`. `GatedPixelCNN` is the network inside `heads.Autoregressive`.
"""

from tfvae.networks.causal import CausalTransformer, CodeGrid
from tfvae.networks.convolutional import conv, deconv
from tfvae.networks.dense import Last, mlp, simplex_mlp
from tfvae.networks.gated import GatedDense, gated
from tfvae.networks.missing import FillMissing
from tfvae.networks.pixels import GatedPixelCNN
from tfvae.networks.recurrent import Backward, Latest, Recurrent
from tfvae.networks.residual import Residual, ResidualBlock, bottleneck, residual_down, residual_up
from tfvae.networks.several import AsChannels, Concatenated
from tfvae.networks.signals import conv1d, deconv1d
from tfvae.networks.tabular import Columns, Log1p, columns, count_mlp

__all__ = [
    "AsChannels",
    "Backward",
    "CausalTransformer",
    "CodeGrid",
    "Columns",
    "Concatenated",
    "FillMissing",
    "GatedDense",
    "GatedPixelCNN",
    "Last",
    "Latest",
    "Log1p",
    "Recurrent",
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
