"""Facts about model files have one home; what the container adds to a row is there for every row."""

from generate_on_cloud.model_files.hypernetworks import ACTIVATIONS
from generate_on_cloud.model_files.inversions import MAX_VECTORS
from generate_on_cloud.model_files.network_kinds import KINDS, PARTS
from generate_on_cloud.model_files.tensor_names import Place, place_of
from generate_on_cloud.model_files.uses import DRAWN
from inference_container.models.model_config import CONFIG_FOLDERS
from inference_container.networks import hypernetwork
from inference_container.networks.kinds import CHANGES
from inference_container.prompt.chunks import CHUNK_LENGTH


def test_every_kind_of_network_has_its_mathematics_and_no_other_has() -> None:
    assert set(CHANGES) == {kind.name for kind in KINDS}
    assert len(CHANGES) == len(KINDS)


def test_the_parts_that_show_rank_and_inputs_are_the_kinds_own() -> None:
    for kind in KINDS:
        own = frozenset().union(*kind.parts)
        assert own.issuperset((*kind.rank, *(part for group in kind.inputs for part in group))), kind.name


def test_every_checkpoint_that_is_drawn_with_has_a_configuration_and_no_other_has() -> None:
    assert set(CONFIG_FOLDERS) == set(DRAWN)


def test_every_activation_of_a_hypernetwork_is_one_of_torchs_and_the_other_way_round() -> None:
    assert sorted(hypernetwork.ACTIVATIONS) == sorted(ACTIVATIONS)


def test_an_embedding_has_as_many_vectors_as_a_chunk_takes() -> None:
    assert MAX_VECTORS == CHUNK_LENGTH


def test_every_part_of_every_kind_is_found_under_a_dotted_name_too() -> None:
    for part in PARTS:
        path = "unet.down_blocks.0.proj_in"
        assert place_of(f"{path}.{part}") == Place("lora_unet_down_blocks_0_proj_in", part, path)
