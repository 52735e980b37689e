"""What the params of all tasks have in common."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator

from generate_on_cloud.contract.errors import FieldError

Picture = Annotated[str, Field(min_length=1)]
"""Base64 or a `data:image/…;base64,` URI."""


FIELDS_NOT_SUPPORTED_YET: frozenset[str] = frozenset(
    {
        "restore_faces",
        "gfpgan_visibility",
        "codeformer_visibility",
        "codeformer_weight",
    }
)
"""Fields that must hold their default (or, for flags, a value that changes nothing)."""


class TaskParams(BaseModel):
    """Base of all tasks' params: strict names, and null means the default."""

    model_config = ConfigDict(
        defer_build=True, extra="forbid", frozen=True, protected_namespaces=(), allow_inf_nan=False
    )

    @model_validator(mode="before")
    @classmethod
    def _null_means_default(cls, data: object) -> object:
        if not isinstance(data, dict):
            return data
        return {
            key: value
            for key, value in data.items()
            if value is not None or key not in cls.model_fields or cls.model_fields[key].is_required()
        }

    def unsupported(self) -> list[FieldError]:
        """Everything these valid params ask for that this version cannot do, with pointers relative to the params."""
        return [
            FieldError(pointer=f"/{name}", message=f"{name} = {getattr(self, name)!r} is not supported yet")
            for name, field in type(self).model_fields.items()
            if name in FIELDS_NOT_SUPPORTED_YET
            and getattr(self, name) != field.get_default(call_default_factory=True)
            and not (field.default is None and getattr(self, name) is False)
        ]
