"""X/Y/Z plot on a real if tiny model: cells, grids, infotexts."""

import numpy as np
import pytest

from generate_on_cloud.contract.jobs import Task
from inference_container.models.checkpoint import Checkpoint
from tests.tasks.running import opened, pixels, run


def test_a_plot_is_a_grid_whose_cells_are_the_pictures_drawn_alone(checkpoint: Checkpoint) -> None:
    arguments = ["Seed", "5,-1", [], "CFG Scale", "1-3 [2]", [], 0, "", [], False, True]

    output = run(checkpoint, Task.TXT2IMG, script_name="X/Y/Z plot", script_args=arguments)
    alone = run(checkpoint, Task.TXT2IMG, seed=5, cfg_scale=3.0)

    assert [opened(output, number).size for number in range(5)] == [(128, 128), *[(64, 64)] * 4]
    assert np.array_equal(pixels(output, 3), pixels(alone))
    assert np.array_equal(pixels(output)[64:, :64], pixels(alone))
    drawn = output.info["all_seeds"][1]
    assert [image.seed for image in output.images] == [None, 5, drawn, 5, drawn]
    assert f'Script: X/Y/Z plot, X Type: Seed, X Values: "5,-1", Fixed X Values: "5, {drawn}", Y Type' in (
        output.images[0].infotext
    )
    assert "Y Type: CFG Scale, Y Values: 1-3 [2], Version" in output.images[0].infotext
    assert output.info["infotexts"] == [image.infotext for image in output.images]
    assert (output.info["index_of_first_image"], "parameters" in opened(output).info) == (1, False)
    assert opened(output, 3).info["parameters"] == alone.images[0].infotext


@pytest.mark.parametrize(("sub_grids", "count"), [(False, 1), (True, 3)])
def test_a_third_axis_makes_a_grid_of_grids(checkpoint: Checkpoint, sub_grids: bool, count: int) -> None:
    arguments = ["Nothing", "", [], 0, "", [], "Steps", "1,2", [], True, False, sub_grids]

    output = run(checkpoint, Task.TXT2IMG, script_name="X/Y/Z plot", script_args=arguments)

    assert len(output.images) == count
    # The legend names the steps above both grids.
    assert opened(output).width == 128
    assert opened(output).height > 64
    assert len(output.info["infotexts"]) == count + 2
    assert "Z Type: Steps" in output.images[0].infotext
    assert all("Z Type" not in image.infotext for image in output.images[1:])


def test_random_seeds_stay_random_if_asked_to(checkpoint: Checkpoint) -> None:
    switches = [False, True, False, True]
    arguments = ["CFG Scale", "1,1", [], 0, "", [], 0, "", [], *switches]

    output = run(checkpoint, Task.TXT2IMG, seed=-1, script_name="X/Y/Z plot", script_args=arguments)

    assert len({image.seed for image in output.images[1:]}) == 2


def test_info_has_the_prompts_of_the_cells_as_the_request_writes_them(checkpoint: Checkpoint) -> None:
    arguments = ["Prompt S/R", "red, blue", [], 0, "", [], 0, "", [], False, True]

    output = run(checkpoint, Task.TXT2IMG, prompt="red # why", script_name="X/Y/Z plot", script_args=arguments)

    assert output.info["all_prompts"] == ["red # why", "blue # why"]
    assert output.info["prompt"] == "red # why"
    assert output.info["infotexts"][2].startswith("blue \n")


def test_a_grid_is_described_with_the_requests_options_and_a_cell_with_its_own(checkpoint: Checkpoint) -> None:
    arguments = ["RNG source", "", ["NV", "CPU"], "Clip skip", "2,1", [], 0, "", [], False, True]
    options = {"randn_source": "CPU"}

    output = run(checkpoint, Task.TXT2IMG, script_name="X/Y/Z plot", script_args=arguments, override_settings=options)

    grid, first = (image.infotext for image in output.images[:2])
    assert ", RNG: CPU, " in grid
    assert "Clip skip: " not in grid
    assert ", RNG: NV, " in first
    assert ", Clip skip: 2, " in first
