"""What the params of all tasks have in common, and those of the tasks that may run a selectable script."""

from typing import TYPE_CHECKING, Annotated, Any, cast

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator, model_validator

from generate_on_cloud.contract.errors import FieldError
from generate_on_cloud.contract.jobs import Task
from generate_on_cloud.contract.script_work import Run, script_runs
from generate_on_cloud.contract.selectable_scripts import (
    VARYING,
    SelectedScript,
    describe_scripts,
    find_script,
    read_script,
)

if TYPE_CHECKING:
    from generate_on_cloud.contract.params import ImageParams

Picture = Annotated[str, Field(min_length=1)]
"""Base64 or a `data:image/…;base64,` URI."""


FIELDS_NOT_SUPPORTED_YET: frozenset[str] = frozenset()
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


class ScriptedParams(TaskParams):
    """The two fields of WebUI's API that select a script."""

    script_name: str | None = None
    """A selectable script of those that ship with WebUI; case does not matter."""
    script_args: list[Any] = Field(default=[], json_schema_extra=describe_scripts)

    @classmethod
    def task(cls) -> Task:
        """The task that these params are for."""
        raise NotImplementedError

    @field_validator("script_name")
    @classmethod
    def _script_is_known(cls, value: str | None) -> str | None:
        return find_script(value, cls.task()).title if value else None

    @field_validator("script_args")
    @classmethod
    def _arguments_fit_the_script(cls, value: list[Any], info: ValidationInfo) -> list[Any]:
        name = info.data.get("script_name")
        if name:
            read_script(name, value, cls.task())
        elif value and "script_name" in info.data:
            raise ValueError(f"received {len(value)} arguments without a script; allowed: none")
        return value

    def selected_script(self) -> SelectedScript | None:
        """The script that the request names, with its arguments; None if it names none."""
        return read_script(self.script_name, self.script_args, self.task()) if self.script_name else None

    def runs(self) -> tuple[Run, ...]:
        """What the request draws: itself once, or the drawings of its script.

        Raises:
            ValueError: the script cannot draw this.
        """
        script, params = self.selected_script(), cast("ImageParams", self)
        return (Run(params, 1),) if script is None else script_runs(script, params)

    def unsupported(self) -> list[FieldError]:
        return super().unsupported() + self._unsupported_script()

    def _unsupported_script(self) -> list[FieldError]:
        return list({fault.message: fault for one in self.variants() for fault in _in_script(one)}.values())

    def variants(self) -> tuple["ImageParams", ...]:
        """The drawings of a script that changes the request's own fields; none without such a script.

        Raises:
            ValueError: the script cannot draw this.
        """
        script = self.selected_script()
        return tuple(run.params for run in self.runs()) if isinstance(script, VARYING) else ()


def _in_script(params: "ImageParams") -> list[FieldError]:
    """What a script's drawing asks for that is not supported."""
    return [FieldError(pointer="/script_args", message=fault.message) for fault in params.unsupported()]
