"""What the params of all tasks have in common."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator

Picture = Annotated[str, Field(min_length=1)]
"""Base64 or a `data:image/…;base64,` URI."""


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
