"""What a checkpoint's own marks say that it predicts, in every spelling."""

import pytest

from generate_on_cloud.contract.assets import AssetType, PredictionType
from generate_on_cloud.model_files.facts import read_facts
from generate_on_cloud.model_files.memory_bytes import MemoryBytes
from generate_on_cloud.model_files.prediction_types import marked_prediction, spelled_prediction
from tests.lambdas.model_bytes import SD1, safetensors_file

NOISE, VELOCITY = PredictionType.EPSILON, PredictionType.V_PREDICTION


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        *((word, NOISE) for word in ("epsilon", "eps", "Epsilon", "EPS", "eps_prediction", "eps-pred", "noise")),
        *((word, VELOCITY) for word in ("v", "V", "v_prediction", "v-prediction", "v prediction", "vpred", "v_pred")),
        *((word, VELOCITY) for word in ("V-Pred", "velocity", "v-parameterization")),
        *((word, None) for word in ("", "x0", "sample", "edm", "flow", "vv", "very")),
    ],
)
def test_every_tools_word_for_a_prediction_type_is_understood(word: str, meant: PredictionType | None) -> None:
    assert spelled_prediction(word) is meant


@pytest.mark.parametrize(
    ("tensors", "header", "meant"),
    [
        ((), {}, None),
        (("v_pred",), {}, VELOCITY),
        (("v_pred", "ztsnr"), {}, VELOCITY),
        (("ztsnr",), {}, None),
        ((), {"modelspec.prediction_type": "v"}, VELOCITY),
        ((), {"modelspec.prediction_type": "epsilon"}, NOISE),
        ((), {"modelspec.prediction_type": "something new"}, None),
        (("v_pred",), {"modelspec.prediction_type": "epsilon"}, VELOCITY),
    ],
)
def test_a_checkpoint_is_marked_by_a_tensor_or_its_header(
    tensors: tuple[str, ...], header: dict[str, str], meant: PredictionType | None
) -> None:
    shapes = {**SD1, **dict.fromkeys(tensors, (0,))}

    found = read_facts(
        MemoryBytes(safetensors_file(shapes, header)), name="a.safetensors", asset_type=AssetType.CHECKPOINT
    )

    assert found.prediction_type is marked_prediction(shapes, header) is meant
