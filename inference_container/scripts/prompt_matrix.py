"""Prompt matrix: draws every combination of the parts of a prompt, and a grid of them."""

from generate_on_cloud.contract.params import ImageParams
from generate_on_cloud.contract.prompt_matrix import matrix_params, matrix_parts
from generate_on_cloud.contract.selectable_scripts import PromptMatrix
from generate_on_cloud.webui.infotext.writer import build_info, write_infotext
from inference_container.pictures.grid_legend import Label, with_legend
from inference_container.pictures.picture_grid import picture_grid
from inference_container.scripts.drawing_board import DrawingBoard, Finished, drawing_shares


def prompt_matrix(script: PromptMatrix, board: DrawingBoard[ImageParams]) -> Finished:
    """Draw each combination alone; the grid of all comes first.

    Raises:
        JobFailed: a combination cannot be drawn.
    """
    # 1. Draw every combination.
    asked = board.with_fixed_seeds()
    combinations = matrix_params(script, asked)
    board.expect(drawing_shares(combinations))
    drawings = [board.draw(one) for one in combinations]

    # 2. Its grid: the first half of the parts changes from column to column, the other half from row to row.
    parts = matrix_parts(script, asked)[1:]
    images = [one.images[0] for one in drawings]
    boundary = (len(parts) + 1) // 2
    columns, rows = _labels(parts[:boundary]), _labels(parts[boundary:])
    grid = with_legend(
        picture_grid(images, rows=len(rows)), images[0].size, columns=columns, rows=rows, margin=script.margin_size
    )

    # 3. Their texts and seeds; the grid has those of the first picture, but not inside its file.
    records = [one.record for one in drawings]
    texts = [write_infotext(record, 0) for record in records]
    seeds = [record.seeds[0] for record in records]
    encoded = board.store([grid, *images], infotexts=[texts[0], *texts], seeds=[None, *seeds], inside=["", *texts])
    subseeds = [record.subseeds[0] for record in records]
    info = {
        **build_info(board.last),
        "prompt": records[0].prompts[0],
        "all_prompts": [record.prompts[0] for record in records],
        "negative_prompt": records[0].negative_prompts[0],
        "all_negative_prompts": [record.negative_prompts[0] for record in records],
        "seed": seeds[0],
        "all_seeds": seeds,
        "subseed": subseeds[0],
        "all_subseeds": subseeds,
        "batch_size": asked.batch_size,
        "index_of_first_image": 1,
        "infotexts": [texts[0], *texts],
    }
    return Finished(encoded, info)


def _labels(parts: list[str]) -> list[list[Label]]:
    """The labels of all rows or columns: every combination of active and inactive parts."""
    return [
        [Label(part, active=bool(number & (1 << place))) for place, part in enumerate(parts)]
        for number in range(1 << len(parts))
    ]
