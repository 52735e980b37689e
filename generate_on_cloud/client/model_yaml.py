"""What the `.yaml` next to a checkpoint says that the product needs to know: whether it predicts noise or velocity.

WebUI builds the model from such a file: Stable Diffusion's own configurations (`ldm`) or XL's (`sgm`).
"""

from pathlib import Path
from typing import Any

import yaml

from generate_on_cloud.client.errors import CloudError
from generate_on_cloud.contract.assets import AssetType, PredictionType, asset_type_named
from generate_on_cloud.model_files.prediction_types import spelled_prediction

SUFFIXES = (".yaml", ".yml")
MAX_BYTES = 1024**2
_SCALINGS = {"EpsScaling": PredictionType.EPSILON, "VScaling": PredictionType.V_PREDICTION}
"""XL's configurations name a class."""


def prediction_type_beside(path: Path, asset_type: str) -> PredictionType | None:
    """What the `.yaml` of the same name as a checkpoint says; None if there is none or it does not say.

    Raises:
        CloudError: it cannot be read, or names a prediction type that is not drawn with.
    """
    if asset_type_named(asset_type) is not AssetType.CHECKPOINT:
        return None
    found = next((beside for suffix in SUFFIXES if (beside := path.with_suffix(suffix)).is_file()), None)
    return None if found is None else yaml_prediction_type(found)


def yaml_prediction_type(path: Path) -> PredictionType | None:
    """What a model's `.yaml` says; None if it does not say.

    Raises:
        CloudError: it cannot be read, or names a prediction type that is not drawn with.
    """
    model = _below(_document(path), "model")
    params = _below(model, "params")
    scaling = _below(params, "denoiser_config", "params", "scaling_config").get("target")
    if scaling is not None:
        return _known(path, scaling, _SCALINGS.get(str(scaling).rpartition(".")[2]))
    if "parameterization" in params:
        word = params["parameterization"]
        return _known(path, word, spelled_prediction(str(word)))
    # Stable Diffusion's own class predicts noise unless told otherwise.
    return PredictionType.EPSILON if str(model.get("target", "")).startswith("ldm.") else None


def _known(path: Path, word: object, meant: PredictionType | None) -> PredictionType:
    if meant is None:
        raise CloudError(
            f"{path.name} says that the checkpoint predicts {word!r}; allowed: eps (noise) and v (velocity)"
        )
    return meant


def _document(path: Path) -> Any:
    if path.stat().st_size > MAX_BYTES:
        raise CloudError(f"{path.name} has {path.stat().st_size} bytes; allowed for a model's .yaml: {MAX_BYTES}")
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8-sig"))
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        raise CloudError(f"{path.name} is not YAML: {error}") from error


def _below(document: object, *names: str) -> dict[str, Any]:
    for name in names:
        document = document.get(name) if isinstance(document, dict) else None
    return document if isinstance(document, dict) else {}
