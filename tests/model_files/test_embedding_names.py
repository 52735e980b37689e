"""Vectors of embeddings in every trainer's spelling, alone and bundled with a network."""

from collections.abc import Mapping

import pytest

from generate_on_cloud.model_files.inversions import ONLY, bundled_names, vector_names
from generate_on_cloud.model_files.refusals import RefusedFileError

L, G = (2, 768), (2, 1280)


@pytest.mark.parametrize(
    ("shapes", "encoders"),
    [
        ({"string_to_param.*": L}, {ONLY: "string_to_param.*"}),
        ({"*": L}, {ONLY: "*"}),
        ({"<cat>": L}, {ONLY: "<cat>"}),
        ({"emb_params": L}, {ONLY: "emb_params"}),
        ({"clip_l": L}, {ONLY: "clip_l"}),
        ({"clip_h": (2, 1024)}, {ONLY: "clip_h"}),
        ({"clip_g": G}, {ONLY: "clip_g"}),
        ({"string_to_param.*": L, "string_to_token.*": (), "step": ()}, {ONLY: "string_to_param.*"}),
        ({"clip_l": L, "clip_g": G}, {"clip_l": "clip_l", "clip_g": "clip_g"}),
        ({"text_encoders_0": L, "text_encoders_1": G}, {"clip_l": "text_encoders_0", "clip_g": "text_encoders_1"}),
        ({"text_encoder": L, "text_encoder_2": G}, {"clip_l": "text_encoder", "clip_g": "text_encoder_2"}),
        ({"te1": L, "te2": G}, {"clip_l": "te1", "clip_g": "te2"}),
    ],
)
def test_vectors_are_found_alone_and_bundled(
    shapes: Mapping[str, tuple[int, ...]], encoders: Mapping[str, str]
) -> None:
    assert vector_names(shapes) == encoders
    bundled = {f"bundle_emb.glowx.{name}": shape for name, shape in shapes.items()}
    assert bundled_names(bundled) == {
        "glowx": {encoder: f"bundle_emb.glowx.{name}" for encoder, name in encoders.items()}
    }


@pytest.mark.parametrize(
    ("shapes", "words"),
    [
        ({"clip_l": L, "t5": (2, 4096)}, "vectors for a T5 text encoder"),
        ({"clip_l": L, "clip_g": G, "clip_l_out": L}, "vectors for a text encoder's output"),
        ({"a": L, "b": L}, "it holds 2 tensors (a, b)"),
    ],
)
def test_vectors_of_no_use_are_named(shapes: Mapping[str, tuple[int, ...]], words: str) -> None:
    with pytest.raises(RefusedFileError) as refused:
        vector_names(shapes)

    assert words in str(refused.value)
