"""What owners may declare about a model file: type, name, size and source; all errors in one answer."""

import unicodedata
from pathlib import PurePosixPath

from generate_on_cloud.contract.asset_bodies import CreateAsset
from generate_on_cloud.contract.assets import ASSET_TYPES, AssetType, asset_type_named
from generate_on_cloud.contract.errors import FieldError
from generate_on_cloud.fetching.public_addresses import FetchError, parse_public_target
from lambdas.problems import invalid, shortened


def check_declaration(wanted: CreateAsset) -> AssetType:
    """The type of the declared file.

    Raises:
        ProblemError: `invalid_params`.
    """
    errors = []
    asset_type = asset_type_named(wanted.type)
    if asset_type is None:
        errors.append(_error("/type", type_message(wanted.type)))
    elif wanted.size is not None and wanted.size > ASSET_TYPES[asset_type].max_bytes:
        limit = ASSET_TYPES[asset_type].max_bytes
        errors.append(_error("/size", f"received {wanted.size}; allowed: up to {limit} bytes for a {asset_type}"))
    if wanted.name is not None and (reason := _reason_against_name(wanted.name, asset_type)) is not None:
        errors.append(_error("/name", f"received {wanted.name!r}; {reason}"))
    if wanted.source_url is not None:
        try:
            parse_public_target(wanted.source_url)
        except FetchError as refused:
            errors.append(_error("/source_url", str(refused)))
    if wanted.prediction_type is not None and asset_type is not None:
        errors += _prediction_errors(wanted.prediction_type, asset_type)
    if errors or asset_type is None:
        raise invalid(errors)
    return asset_type


def check_new_name(name: str, *, old: str, asset_type: AssetType) -> None:
    """Refuse an invalid name, or one for another kind of file than the old one.

    Raises:
        ProblemError: `invalid_params`.
    """
    reason = _reason_against_name(name, asset_type)
    suffix = PurePosixPath(old).suffix
    if reason is None and PurePosixPath(name).suffix != suffix:
        reason = f"allowed: names ending in {suffix}, the kind of this file"
    if reason is not None:
        raise invalid([_error("/name", f"received {name!r}; {reason}")])


def check_prediction(prediction_type: str, *, asset_type: AssetType) -> None:
    """Refuse a prediction type for anything but a checkpoint.

    Raises:
        ProblemError: `invalid_params`.
    """
    errors = _prediction_errors(prediction_type, asset_type)
    if errors:
        raise invalid(errors)


def type_message(received: str) -> str:
    """The allowed types, for messages."""
    names = ", ".join(f"{kind} ({rule.webui_folder})" for kind, rule in ASSET_TYPES.items())
    return f"received {shortened(received)!r}; allowed: {names}"


def _reason_against_name(name: str, asset_type: AssetType | None) -> str | None:
    if "/" in name or "\\" in name:
        return "allowed: a file name without folders"
    if any(unicodedata.category(character) in ("Cc", "Cf", "Zl", "Zp") for character in name):
        return "allowed: no control or invisible characters"
    if name != name.strip() or name.startswith("."):
        return "allowed: no space at either end and no dot at the start"
    if asset_type is not None and PurePosixPath(name).suffix not in ASSET_TYPES[asset_type].extensions:
        return f"allowed for a {asset_type}: names ending in {', '.join(ASSET_TYPES[asset_type].extensions)}"
    return None


def _prediction_errors(received: str, asset_type: AssetType) -> list[FieldError]:
    if asset_type is AssetType.CHECKPOINT:
        return []
    return [_error("/prediction_type", f"received {received} for a {asset_type}; allowed: only for a checkpoint")]


def _error(pointer: str, message: str) -> FieldError:
    return FieldError(pointer=pointer, message=message)
