"""Scores from the mutual information of each code with each factor."""

import numpy as np
from numpy.typing import ArrayLike

from tfvae.errors import whole_number_in
from tfvae.evaluation.disentanglement.score import Score
from tfvae.evaluation.disentanglement.table import Table, by_chance, error_of, table
from tfvae.random import generator

_BIASED = 0.05  # share of a factor's entropy
_SIGNIFICANT = 1e-3
_ROUNDING = 1e-5  # of an interval


def mig(
    codes: ArrayLike, factors: ArrayLike, seed: int | tuple[int, int] = 0, *, bins: int = 20, repeats: int = 10
) -> Score:
    """Measure the mutual information gap: how much more the best code knows of a factor than the second best.

        MIG = 1/F sum_k (I(z_(1); v_k) - I(z_(2); v_k)) / H(v_k)

    Codes are cut into `bins` intervals of equal width over their range, and the information is that of the counts, in
    nats. It is too high by about (rows - 1) (columns - 1) / 2 n of the table of counts, for all codes alike. A single
    code has no second, whose information counts as 0.

    Args:
        codes: numbers [n, D].
        factors: whole numbers [n, F], any rows of any combinations.
        seed: of the halves that give the error.
        bins: intervals of each code.
        repeats: halves.

    Returns:
        A `Score`: `detail` is the gap of each factor, `matrix` the mutual information in nats.

    Raises:
        ValueError: if codes or factors are not such arrays, n is less than 20, or a factor has one value only.

    Reference: R. Chen et al., "Isolating Sources of Disentanglement in Variational Autoencoders", 2018, Sec. 4,
    https://arxiv.org/abs/1802.04942.

    Example:
        >>> import numpy as np
        >>> from tfvae.evaluation import disentanglement
        >>> factors = np.stack(np.unravel_index(np.arange(64), [4, 16]), 1)
        >>> round(disentanglement.mig(factors * [1.0, -3.0], factors).value, 6)
        1.0
    """
    data, rng = table(codes, factors), generator(seed)
    cells = _binned(data, bins)
    information = mutual_information(cells)
    gaps = _gaps(cells, information)

    def score(some: Table) -> float:
        return float(_gaps(some, mutual_information(some)).mean())

    return Score(
        "MIG",
        float(gaps.mean()),
        error_of(cells, score, rng, repeats),
        gaps,
        "factor",
        information,
        by_chance(cells, score, rng),
        len(data),
        (*data.notes, *_doubts(cells, bins)),
    )


def modularity(
    codes: ArrayLike, factors: ArrayLike, seed: int | tuple[int, int] = 0, *, bins: int = 20, repeats: int = 10
) -> Score:
    """Measure whether each code has information of one factor only.

        1/D sum_i (1 - sum_(k != k*) I(z_i; v_k)^2 / ((F - 1) I(z_i; v_k*)^2)),   k* = argmax_k I(z_i; v_k)

    The information is that of `mig`. A constant code counts as 0, and one that tells nothing of any factor as whatever
    the noise in its counts happens to favour: a warning names such codes.

    Args:
        codes: numbers [n, D].
        factors: whole numbers [n, F], F at least 2.
        seed: of the halves that give the error.
        bins: intervals of each code.
        repeats: halves.

    Returns:
        A `Score`: `detail` is the modularity of each code, `matrix` the mutual information in nats.

    Raises:
        ValueError: as `mig`, and for a single factor.

    Reference: K. Ridgeway and M. Mozer, "Learning Deep Disentangled Embeddings with the F-Statistic Loss", 2018,
    Sec. 3, https://arxiv.org/abs/1802.05312.

    Example:
        >>> import numpy as np
        >>> from tfvae.evaluation import disentanglement
        >>> factors = np.stack(np.unravel_index(np.arange(64), [8, 8]), 1)
        >>> round(disentanglement.modularity(factors, factors).value, 6)
        1.0
    """
    data, rng = table(codes, factors), generator(seed)
    if len(data.sizes) < 2:
        raise ValueError("Expected at least two factors, of which a code may know one. Received: factors [n, 1]")
    cells = _binned(data, bins)
    information = mutual_information(cells)
    single = _modularities(information)

    def score(some: Table) -> float:
        return float(_modularities(mutual_information(some)).mean())

    return Score(
        "modularity",
        float(single.mean()),
        error_of(cells, score, rng, repeats),
        single,
        "code",
        information,
        by_chance(cells, score, rng),
        len(data),
        (*data.notes, *_doubts(cells, bins), *_strangers(cells, information)),
    )


def mutual_information(cells: Table) -> np.ndarray:
    """Return the mutual information in nats of each code, whole numbers from 0, with each factor, [D, F]."""
    from sklearn.metrics import mutual_info_score

    counts = [[_counts(code, values) for values in cells.factors.T] for code in cells.codes.T]
    information = [[mutual_info_score(None, None, contingency=count) for count in row] for row in counts]
    return np.maximum(information, 0.0)


def _binned(data: Table, bins: int) -> Table:
    bins = whole_number_in("bins", bins, 2, 10**4)
    low, width = data.codes.min(0), np.ptp(data.codes, 0)
    # What lies on an edge must not fall on either side of it by the rounding of a network, which all factors shape.
    scaled = (data.codes - low) / np.where(width > 0, width, 1.0) * bins + _ROUNDING
    return Table(np.minimum(scaled.astype(np.int64), bins - 1), data.factors)


def _counts(code: np.ndarray, values: np.ndarray) -> np.ndarray:
    columns = int(values.max()) + 1
    counts = np.bincount(code * columns + values, minlength=(int(code.max()) + 1) * columns)
    return counts.reshape(-1, columns)  # [bins, values]


def _entropies(cells: Table) -> np.ndarray:
    from scipy.stats import entropy

    return np.array([entropy(np.bincount(values)) for values in cells.factors.T])


def _gaps(cells: Table, information: np.ndarray) -> np.ndarray:
    ordered = np.sort(np.concatenate([np.zeros_like(information[:1]), information]), 0)
    entropies = _entropies(cells)
    return (ordered[-1] - ordered[-2]) / np.where(entropies > 0, entropies, 1.0)


def _modularities(information: np.ndarray) -> np.ndarray:
    squares = information**2
    most = squares.max(1)
    rest = (squares.sum(1) - most) / (np.where(most > 0, most, 1.0) * (squares.shape[1] - 1))
    return np.where(most > 0, 1.0 - rest, 0.0)


def _freedom(cells: Table) -> np.ndarray:
    """Degrees of freedom of each table of counts, [D, F]."""
    occupied = np.array([len(np.unique(code)) for code in cells.codes.T])
    return (occupied[:, None] - 1.0) * (np.array(cells.sizes) - 1)


def _doubts(cells: Table, bins: int) -> tuple[str, ...]:
    """Where the intervals are too few for a factor, or the rows too few for the intervals."""
    found = []
    many = [k for k, size in enumerate(cells.sizes) if size > bins]
    if many:
        found.append(
            f"Factors {many} have more values than the {bins} intervals of a code, which cannot tell them all apart: "
            "even a perfect code scores below 1. Raise bins."
        )
    bias = _freedom(cells).max(0) / (2 * len(cells)) / np.maximum(_entropies(cells), 1e-9)
    if bias.max() > _BIASED:
        found.append(
            f"{len(cells)} rows are few for {bins} intervals: mutual information is too high by about "
            f"{bias.max():.0%} of the entropy of factor {int(bias.argmax())}. Measure more rows, or take fewer bins."
        )
    return tuple(found)


def _strangers(cells: Table, information: np.ndarray) -> tuple[str, ...]:
    """Codes whose information of every factor is what independence would leave, by a likelihood ratio test."""
    from scipy.stats import chi2

    freedom = _freedom(cells)
    level = chi2.isf(_SIGNIFICANT / information.size, np.maximum(freedom, 1.0)) / (2 * len(cells))
    found = np.flatnonzero((freedom.max(1) > 0) & (information <= level).all(1)).tolist()
    if not found:
        return ()
    return (f"Codes {found} tell nothing of any factor that noise would not: their modularity is noise, yet counts.",)
