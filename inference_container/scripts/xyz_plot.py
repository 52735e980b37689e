"""X/Y/Z plot: draws a request with every combination of the values of up to three axes, as grids."""

import random
from dataclasses import replace

from PIL import Image

from generate_on_cloud.contract.params import ImageParams
from generate_on_cloud.contract.plot_axes import SEED_AXES
from generate_on_cloud.contract.selectable_scripts import XyzPlot
from generate_on_cloud.contract.xyz_plot import PlotAxis, plot_axes, plot_cells
from generate_on_cloud.webui.infotext.record import GenerationRecord, InfoValue
from generate_on_cloud.webui.infotext.writer import build_info, write_infotext
from inference_container.drawing.results import option_entries
from inference_container.drawing.seeds import RANDOM_SEEDS
from inference_container.pictures.grid_legend import Label, with_legend
from inference_container.pictures.picture_grid import picture_grid
from inference_container.scripts.drawing_board import DrawingBoard, Finished, drawing_shares

TITLE = "X/Y/Z plot"


def xyz_plot(script: XyzPlot, board: DrawingBoard[ImageParams]) -> Finished:
    """Draw every cell; the grid of all grids comes first, then, if wanted, the grids of Z and the cells.

    Raises:
        JobFailed: a cell cannot be drawn.
    """
    # 1. The axes; random seeds become numbers, the same in all cells, unless they are to stay random.
    asked = board.params if script.no_fixed_seeds else board.with_fixed_seeds()
    found = plot_axes(script, asked)
    plotted = found if script.no_fixed_seeds else (_fixed(found[0]), _fixed(found[1]), _fixed(found[2]))
    x, y, z = plotted

    # 2. Draw every cell; of a batch, the first picture is shown.
    cells = plot_cells(script, asked, plotted)
    board.expect(drawing_shares([cell.params for cell in cells]))
    pictures: dict[int, Image.Image] = {}
    records: dict[int, GenerationRecord] = {}
    prompts: dict[int, str] = {}
    for cell in cells:
        drawing = board.draw(cell.params)
        column, row, grid = cell.place
        index = column + len(x.values) * (row + len(y.values) * grid)
        pictures[index], records[index], prompts[index] = drawing.images[0], drawing.record, cell.params.prompt

    # 3. The grids.
    size = len(x.values) * len(y.values)
    grids = [
        _grid([pictures[index] for index in range(start, start + size)], x, y, script)
        for start in range(0, len(pictures), size)
    ]
    whole = picture_grid(grids, rows=1)
    if script.draw_legend:
        largest = max(one.width for one in grids), max(one.height for one in grids)
        whole = with_legend(whole, largest, columns=_labels(z), rows=[[Label("")]])

    # 4. Their texts: those of their first cells, and how the plot was made.
    # WebUI writes them after the options of the first cell have given way to the request's.
    firsts = [replace(records[start], **option_entries(asked)) for start in range(0, len(records), size)]
    whole_text, grid_texts = _texts(plotted, firsts, script)
    ordered = [records[index] for index in range(len(records))]
    texts = [write_infotext(record, 0) for record in ordered]
    shown = [whole]
    said, inside = [whole_text], [""]
    seeds: list[int | None] = [None]
    if script.include_sub_grids:
        shown, said, inside = [*shown, *grids], [*said, *grid_texts], [*inside, *[""] * len(grids)]
        seeds += [None] * len(grids)
    if script.include_lone_images:
        shown += [pictures[index] for index in range(len(pictures))]
        said, inside, seeds = [*said, *texts], [*inside, *texts], [*seeds, *(one.seeds[0] for one in ordered)]
    encoded = board.store(shown, infotexts=said, seeds=seeds, inside=inside)

    # 5. WebUI describes the whole by the first cell, and lists all cells, whether shown or not.
    starts = range(0, len(ordered), size) if script.include_sub_grids else ()
    described = [*starts, *range(len(ordered))]
    info = {
        **build_info(board.first),
        # As the cells' requests have them: without styles.
        "prompt": prompts[0],
        "all_prompts": [prompts[index] for index in described],
        "all_seeds": [records[index].seeds[0] for index in described],
        "extra_generation_params": build_info(board.last)["extra_generation_params"],
        "index_of_first_image": 1,
        "infotexts": [whole_text, *(grid_texts if script.include_sub_grids else []), *texts],
    }
    return Finished(encoded, info)


def _fixed(plotted: PlotAxis) -> PlotAxis:
    if plotted.axis.label not in SEED_AXES:
        return plotted
    source = random.Random()
    return replace(plotted, values=[source.randrange(RANDOM_SEEDS) if one == -1 else one for one in plotted.values])


def _grid(images: list[Image.Image], x: PlotAxis, y: PlotAxis, script: XyzPlot) -> Image.Image:
    grid = picture_grid(images, rows=len(y.values))
    if not script.draw_legend:
        return grid
    largest = max(one.width for one in images), max(one.height for one in images)
    return with_legend(grid, largest, columns=_labels(x), rows=_labels(y), margin=script.margin_size)


def _labels(plotted: PlotAxis) -> list[list[Label]]:
    return [[Label(plotted.axis.shown(value))] for value in plotted.values]


def _texts(
    plotted: tuple[PlotAxis, PlotAxis, PlotAxis], firsts: list[GenerationRecord], script: XyzPlot
) -> tuple[str, list[str]]:
    """The infotext of the whole, and that of each grid, from the records of the grids' first cells."""
    x, y, z = (_notes(one, fixed=not script.no_fixed_seeds) for one in plotted)
    grids = [replace(record, extra={**record.extra, "Script": TITLE, **x, **y}) for record in firsts]
    whole = replace(grids[0], extra={**grids[0].extra, **z})
    return write_infotext(whole, 0), [write_infotext(record, 0) for record in grids]


def _notes(plotted: PlotAxis, *, fixed: bool) -> dict[str, InfoValue]:
    name, label = plotted.name, plotted.axis.label
    if label == "Nothing":
        return {}
    notes: dict[str, InfoValue] = {f"{name} Type": label, f"{name} Values": plotted.text}
    if fixed and label in SEED_AXES:
        notes[f"Fixed {name} Values"] = ", ".join(map(str, plotted.values))
    return notes
