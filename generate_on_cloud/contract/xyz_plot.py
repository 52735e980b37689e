"""X/Y/Z plot: the values of its three axes, and the request of each cell (WebUI's rules)."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from generate_on_cloud.contract.limits import MAX_PICTURES
from generate_on_cloud.contract.plot_axes import Axis, axes
from generate_on_cloud.contract.plot_values import Values, join_values, split_values
from generate_on_cloud.contract.script_variants import check_expanded, check_text, varied
from generate_on_cloud.contract.selectable_scripts import XyzPlot

if TYPE_CHECKING:
    from generate_on_cloud.contract.params import ImageParams

Params = TypeVar("Params", bound="ImageParams")
Place = tuple[int, int, int]
"""Column, row and grid of a cell."""


@dataclass(frozen=True)
class PlotAxis:
    """An axis with its values."""

    name: str
    """X, Y or Z."""
    axis: Axis
    text: str
    """The values as the request writes them."""
    values: Values


@dataclass(frozen=True)
class Cell(Generic[Params]):
    """One cell and its request."""

    place: Place
    params: Params


def plot_axes(script: XyzPlot, params: "ImageParams") -> tuple[PlotAxis, PlotAxis, PlotAxis]:
    """The three axes.

    Raises:
        ValueError: an axis that does not exist, values it does not have, or too many cells; the text names the
            argument.
    """
    x, y, z = (_axis(script, name, params) for name in ("x", "y", "z"))
    count = len(x.values) * len(y.values) * len(z.values)
    if count > MAX_PICTURES:
        raise ValueError(f"X/Y/Z plot: received {count} cells; allowed: up to {MAX_PICTURES}")
    return x, y, z


def _axis(script: XyzPlot, name: str, params: "ImageParams") -> PlotAxis:
    kind, text, chosen = (getattr(script, f"{name}_{field}") for field in ("type", "values", "values_dropdown"))
    axis = _named(kind, axes(params.task()), f"{name}_type")
    if axis.label == "Nothing":
        return PlotAxis(name.upper(), axis, "", [0])
    # A client that sends a text for an axis with a list means the text, whatever `csv_mode` says.
    if axis.chosen and chosen and not script.csv_mode:
        text, texts = join_values(chosen), list(chosen)
    else:
        texts = split_values(text)
    try:
        values = axis.read(texts)
    except ValueError as error:
        raise ValueError(f"X/Y/Z plot: {name}_values: {error}") from None
    if not values:
        raise ValueError(f"X/Y/Z plot: {name}_values: received no value for {axis.label}; allowed: one or more")
    return PlotAxis(name.upper(), axis, text, values)


def _named(kind: object, allowed: tuple[Axis, ...], argument: str) -> Axis:
    if isinstance(kind, int) and 0 <= kind < len(allowed):
        return allowed[kind]
    for axis in allowed:
        if isinstance(kind, str) and axis.label.casefold() == kind.casefold():
            return axis
    labels = ", ".join(axis.label for axis in allowed)
    raise ValueError(
        f"X/Y/Z plot: {argument}: received {str(kind)[:60]!r}; allowed: 0 to {len(allowed) - 1}, or {labels}"
    )


def plot_cells(
    script: XyzPlot, params: Params, found: tuple[PlotAxis, PlotAxis, PlotAxis] | None = None
) -> list[Cell[Params]]:
    """Every cell, in the order in which they are drawn: axes that are slow to change first.

    Raises:
        ValueError: as in `plot_axes`, or a cell that no request could ask for.
    """
    plotted = found or plot_axes(script, params)
    start = params if params.options.return_grid else params.model_copy(update={"batch_size": 1})
    count = len(plotted[0].values) * len(plotted[1].values) * len(plotted[2].values)
    check_text(count * (len(params.prompt) + len(params.negative_prompt)))
    cells = [Cell(place, _at(script, start, plotted, place)) for place in _places(plotted)]
    check_expanded(cell.params for cell in cells)
    return cells


def _places(plotted: tuple[PlotAxis, PlotAxis, PlotAxis]) -> Iterator[Place]:
    """All places. Grids change least often, then rows; an axis that costs more than both others goes before these."""
    costs = [one.axis.cost for one in plotted]
    order = [2, 1, 0]
    slowest = max(range(3), key=lambda number: costs[number])
    if sum(cost == costs[slowest] for cost in costs) == 1:
        others = [number for number in range(3) if number != slowest]
        second = others[0] if costs[others[0]] > costs[others[1]] else others[1]
        order = [slowest, second, 3 - slowest - second]
    counts = [len(plotted[number].values) for number in order]
    for outer in range(counts[0]):
        for middle in range(counts[1]):
            for inner in range(counts[2]):
                place = dict(zip(order, (outer, middle, inner), strict=True))
                yield place[0], place[1], place[2]


def _at(script: XyzPlot, params: Params, plotted: tuple[PlotAxis, PlotAxis, PlotAxis], place: Place) -> Params:
    where = "X/Y/Z plot: " + ", ".join(one.axis.shown(one.values[n]) for one, n in zip(plotted, place, strict=True))
    for one, number in zip(plotted, place, strict=True):
        try:
            update: dict[str, Any] = dict(one.axis.change(params, one.values[number], one.values))
        except ValueError as error:
            raise ValueError(f"X/Y/Z plot: {one.name.lower()}_values: {error}") from None
        params = params.model_copy(update=update)
    return varied(params, {"seed": params.seed + _seed_offset(script, plotted, place)}, place=where[:200])


def _seed_offset(script: XyzPlot, plotted: tuple[PlotAxis, PlotAxis, PlotAxis], place: Place) -> int:
    width = len(plotted[0].values) if script.vary_seeds_x else 1
    height = len(plotted[1].values) if script.vary_seeds_y else 1
    offsets = (place[0], place[1] * width, place[2] * width * height)
    varies = (script.vary_seeds_x, script.vary_seeds_y, script.vary_seeds_z)
    return sum(offset for offset, on in zip(offsets, varies, strict=True) if on)
