"""The gates: find what valid params ask for that this version cannot do, so that nothing is silently ignored."""

from generate_on_cloud.contract.errors import FieldError
from generate_on_cloud.contract.options import OptionUnsupportedError, check_option
from generate_on_cloud.contract.params import ImageParams
from generate_on_cloud.contract.task_params import TaskParams

FIELDS_NOT_SUPPORTED_YET: frozenset[str] = frozenset(
    {
        "restore_faces",
        "gfpgan_visibility",
        "codeformer_visibility",
        "codeformer_weight",
    }
)
"""Fields that must hold their default (or, for flags, a value that changes nothing)."""


def unsupported_fields(params: TaskParams) -> list[FieldError]:
    """Everything these valid params ask for that this version cannot do, with pointers relative to the params."""
    errors = [
        FieldError(pointer=f"/{name}", message=f"{name} = {getattr(params, name)!r} is not supported yet")
        for name, field in type(params).model_fields.items()
        if name in FIELDS_NOT_SUPPORTED_YET
        and getattr(params, name) != field.get_default(call_default_factory=True)
        and not (field.default is None and getattr(params, name) is False)
    ]
    if isinstance(params, ImageParams):
        for key, value in params.override_settings.items():
            try:
                check_option(key, value)
            except OptionUnsupportedError as error:
                errors.append(FieldError(pointer=f"/override_settings/{key}", message=str(error)))
    return errors
