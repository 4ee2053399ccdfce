"""Pictures of directed graphs."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch

if TYPE_CHECKING:
    from tfvae.models.graph import Graph, Node


def draw_graph(graph: "Graph", recognition: "dict[str, Node]") -> Figure:
    """Draw variables in rows, parents above their children; what is latent is white, what is given is a square."""
    rows = graph.layers()
    place = {
        name: (column - (len(row) - 1) / 2.0, -1.2 * level)
        for level, row in enumerate(rows)
        for column, name in enumerate(row)
    }
    figure = Figure(figsize=(1.2 + 1.3 * max(map(len, rows)), 0.8 + 1.3 * len(rows)), layout="constrained")
    axis = figure.add_subplot()
    for name, (x, y) in place.items():
        shape = "s" if graph.nodes[name].conditional is None else "o"
        colour = "white" if name in recognition else "lightgrey"
        axis.plot(x, y, shape, markersize=34, markerfacecolor=colour, markeredgecolor="black", zorder=2)
        axis.annotate(name, (x, y), ha="center", va="center", zorder=3)
    solid = [(parent, node.name) for node in graph.nodes.values() for parent in node.parents]
    dashed = [(parent, node.name) for node in recognition.values() for parent in node.parents]
    for edges, style, bend in ((solid, "-", 0.0), (dashed, "--", 0.35)):
        for parent, child in edges:
            far = bend or 0.3 * (abs(place[parent][1] - place[child][1]) > 1.3)  # around what stands between
            arrow = FancyArrowPatch(
                place[parent], place[child], arrowstyle="-|>", mutation_scale=14, linestyle=style, shrinkA=19,
                shrinkB=19, connectionstyle=f"arc3,rad={far}", color="black", zorder=1,
            )  # fmt: skip
            axis.add_patch(arrow)
    axis.set(xlim=_limits(x for x, _ in place.values()), ylim=_limits(y for _, y in place.values()), title=str(graph))
    axis.set_axis_off()
    return figure


def _limits(values: Iterable[float]) -> tuple[float, float]:
    found = list(values)
    return min(found) - 0.6, max(found) + 0.6
