"""Base classes of every REST API body, shared by the Lambda and the client."""

from typing import ClassVar

from pydantic import BaseModel, ConfigDict


class Body(BaseModel):
    """A request body; unknown fields are refused."""

    model_config = ConfigDict(defer_build=True, extra="forbid", protected_namespaces=())

    may_be_absent: ClassVar[bool] = False
    """No body means the empty object."""
    null_counts: ClassVar[bool] = False
    """A field that is null says something else than one that is left out."""


class View(BaseModel):
    """An answer; clients tolerate fields that a newer API adds."""

    model_config = ConfigDict(defer_build=True, protected_namespaces=())


class Health(View):
    status: str
    version: str
    contract_version: int
