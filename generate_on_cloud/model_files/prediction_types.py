"""Whether a checkpoint predicts noise or velocity, as its file or a text about it says, in every tool's spelling."""

from collections.abc import Mapping

from generate_on_cloud.contract.assets import PredictionType
from generate_on_cloud.model_files.family_names import Shapes

VELOCITY_SIGN = "v_pred"
"""Name of an empty tensor that marks velocity prediction (NoobAI, ComfyUI, reForge)."""
_MODEL_SPEC = "modelspec.prediction_type"
"""Header entry of Stability AI's model metadata standard; WebUI would need a .yaml file to know this."""
_SPELLINGS: Mapping[PredictionType, frozenset[str]] = {
    PredictionType.EPSILON: frozenset({"epsilon", "eps", "epsprediction", "epspred", "epsilonprediction", "noise"}),
    PredictionType.V_PREDICTION: frozenset({"v", "vprediction", "vpred", "vparameterization", "velocity"}),
}
"""Without spaces, hyphens and underscores, in lower case."""


def spelled_prediction(text: str) -> PredictionType | None:
    """What a tool's word for a prediction type means; None if it is no such word."""
    word = "".join(letter for letter in text.casefold() if letter not in " -_")
    return next((kind for kind, words in _SPELLINGS.items() if word in words), None)


def marked_prediction(shapes: Shapes, metadata: Mapping[str, str]) -> PredictionType | None:
    """What a checkpoint's own tensors or header say; None if they say nothing."""
    if VELOCITY_SIGN in shapes:
        return PredictionType.V_PREDICTION
    return spelled_prediction(metadata.get(_MODEL_SPEC, ""))
