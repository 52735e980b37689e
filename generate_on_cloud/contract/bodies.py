"""What every body of the REST API is, shared by the Lambda that answers and the client that asks."""

from pydantic import BaseModel, ConfigDict


class Body(BaseModel):
    """What a client sends: unknown fields are refused."""

    model_config = ConfigDict(defer_build=True, extra="forbid", protected_namespaces=())


class View(BaseModel):
    """What the API answers; a client tolerates fields that a newer API adds."""

    model_config = ConfigDict(defer_build=True, protected_namespaces=())


class Health(View):
    status: str
    version: str
    contract_version: int
