"""What was measured, as plain records that JSON holds, and the arithmetic on them."""

import statistics
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Comparison:
    """Two columns of a measure, and what their ratio should be."""

    ours: str
    theirs: str | None = None
    """None where the value itself is what the target speaks of."""
    target: float | None = None
    at_most: bool = False
    """Whether the target is an upper bound rather than a lower one."""


@dataclass(frozen=True)
class Measure:
    """One quantity, measured for every contestant in every round."""

    unit: str
    rounds: list[dict[str, float]]
    comparisons: list[Comparison]


@dataclass(frozen=True)
class Result:
    """All that one work gave."""

    title: str
    date: str
    busy: float
    """Cores that other programs kept busy, before or after the rounds: the greater."""
    quick: bool
    measures: list[Measure]
    left_out: dict[str, str] = field(default_factory=dict)
    """Contestants that are not in the rounds, with the reason."""
    peak_rss_mb: dict[str, float] = field(default_factory=dict)
    imports_rss_mb: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Spread:
    """Median and extremes over the rounds."""

    median: float
    low: float
    high: float


def spread(values: list[float]) -> Spread | None:
    """Return median, least and greatest; None for no values."""
    return Spread(statistics.median(values), min(values), max(values)) if values else None


def column(measure: Measure, name: str) -> Spread | None:
    """Return the spread of one contestant's values."""
    return spread([values[name] for values in measure.rounds if name in values])


def ratio(measure: Measure, comparison: Comparison) -> Spread | None:
    """Return the spread of ours / theirs, each ratio taken within one round, or of ours alone."""
    ours, theirs = comparison.ours, comparison.theirs
    if theirs is None:
        return column(measure, ours)
    # Within a round, because the machine's speed drifts more between rounds than within one.
    return spread([values[ours] / values[theirs] for values in measure.rounds if {ours, theirs} <= values.keys()])


def verdict(found: Spread | None, comparison: Comparison) -> str:
    """Return "met" or "missed", by the median; nothing where there is no target or no value."""
    if comparison.target is None or found is None:
        return ""
    inside = found.median <= comparison.target if comparison.at_most else found.median >= comparison.target
    return "met" if inside else "missed"


def from_dict(data: dict) -> Result:
    """Return the record that `dataclasses.asdict` was given."""
    measures = [
        Measure(m["unit"], m["rounds"], [Comparison(**comparison) for comparison in m["comparisons"]])
        for m in data["measures"]
    ]
    return Result(**{**data, "measures": measures})
