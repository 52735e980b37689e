"""A route: method, path and the function that answers; its signature says what goes in and out.

Parameters of a route function by name: `call` (Call or UserCall), `body` and `query` (pydantic models), and the path's
own parameters (str). The OpenAPI document is made from the same signatures.

powertools' router accepts what our contract refuses: unknown query names, `1_0` as a number, repeated values, a wrong
method as 404. docs/architecture/05-decisions.md has the comparison.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar, get_args, get_origin, get_type_hints

from pydantic import BaseModel, ConfigDict, field_validator

from generate_on_cloud.contract.access import Permission
from generate_on_cloud.contract.errors import ProblemCode
from lambdas.access.caller import Caller
from lambdas.assembly.api import Api


@dataclass(frozen=True)
class Call:
    """One request to a route that needs no key."""

    services: Api
    headers: Mapping[str, str] = field(default_factory=dict)
    """The request's, names in lower case."""
    correlation_id: str | None = None
    """Of the request; a job made by it keeps it."""


@dataclass(frozen=True)
class UserCall(Call):
    """One request whose key was good."""

    caller: Caller = field(kw_only=True)


class Query(BaseModel):
    """Query parameters; those not named are refused."""

    model_config = ConfigDict(defer_build=True, extra="forbid")

    @field_validator("limit", "wait", mode="before", check_fields=False)
    @classmethod
    def _plain_number(cls, value: object) -> object:
        # Python itself would take `1_0` and ` 1`, too.
        if isinstance(value, str) and not re.fullmatch("-?[0-9]{1,18}", value):
            raise ValueError("input should be a whole number in plain digits")
        return value


Model_co = TypeVar("Model_co", bound=BaseModel, covariant=True)


@dataclass(frozen=True)
class Reply(Generic[Model_co]):
    """An answer with a status or headers of its own."""

    body: Model_co | None
    status: int | None = None
    """None: the route's."""
    headers: Mapping[str, str] = field(default_factory=dict)


Answer = BaseModel | Reply[BaseModel] | dict[str, object]
RouteFunction = Callable[..., Answer]

_PARAMETER = re.compile(r"[-._~()'!*:@,;=+&$%<> \[\]{}|^\w]+")
"""What a parameter of a path takes; API Gateway gives paths decoded."""
_COMMON = (ProblemCode.INVALID_PARAMS, ProblemCode.TOO_MANY_REQUESTS, ProblemCode.INTERNAL)
_WITH_BODY = (ProblemCode.INVALID_JSON, ProblemCode.BODY_TOO_LARGE)


@dataclass(frozen=True)
class Route:
    method: str
    path: str
    """With `{name}` for each path parameter."""
    function: RouteFunction
    status: int
    also: tuple[int, ...]
    """Other statuses that are no problems."""
    own_problems: tuple[ProblemCode, ...]
    body: type[BaseModel] | None
    query: type[BaseModel]
    answer: type[BaseModel] | None
    """None: a document without a model."""
    needs_key: bool
    permission: Permission | None = None
    """What the key must allow; None: any good key, or none when none is needed."""

    @property
    def path_parameters(self) -> list[str]:
        return re.findall(r"{(\w+)}", self.path)

    @property
    def summary(self) -> str:
        return (self.function.__doc__ or "").strip().partition("\n")[0].rstrip(".")

    @property
    def problems(self) -> tuple[ProblemCode, ...]:
        """Every problem this route may answer."""
        found = set(self.own_problems) | set(_COMMON)
        if self.body is not None:
            found |= set(_WITH_BODY)
        if self.needs_key:
            found.add(ProblemCode.UNAUTHORIZED)
        if self.permission is not None:
            found.add(ProblemCode.FORBIDDEN)
        if self.path_parameters:  # some characters are in no path
            found.add(ProblemCode.NOT_FOUND)
        return tuple(code for code in ProblemCode if code in found)

    def path_values(self, path: str) -> dict[str, str]:
        """The parameters by name, of a path that matches."""
        parts = zip(self.path.split("/"), path.split("/"), strict=False)
        return {part[1:-1]: value for part, value in parts if part.startswith("{")}

    def matches(self, path: str) -> bool:
        own, asked = self.path.split("/"), path.rstrip("/").split("/")
        return len(own) == len(asked) and all(
            part == other or (part.startswith("{") and other) for part, other in zip(own, asked, strict=True)
        )


def find_route(routes: Iterable[Route], method: str, path: str) -> tuple[Route, dict[str, str]] | None:
    """The route a request is for and the values of its path's parameters; None when there is none.

    A path of its own wins over one with a parameter in the same place.
    """
    found = [route for route in routes if route.method == method and route.matches(path)]
    if not found:
        return None
    route = min(found, key=lambda route: len(route.path_parameters))
    values = route.path_values(path)
    return (route, values) if all(map(_PARAMETER.fullmatch, values.values())) else None


@dataclass(frozen=True)
class Routes:
    """The routes of one resource."""

    rows: list[Route] = field(default_factory=list)

    def add(
        self,
        method: str,
        path: str,
        *,
        status: int = 200,
        also: tuple[int, ...] = (),
        problems: tuple[ProblemCode, ...] = (),
        permission: Permission | None = None,
    ) -> Callable[[RouteFunction], RouteFunction]:
        """Decorator that adds the function."""

        def keep(function: RouteFunction) -> RouteFunction:
            hints = get_type_hints(function)
            answer = hints["return"]
            if get_origin(answer) is Reply:
                (answer,) = get_args(answer)
            self.rows.append(
                Route(
                    method=method,
                    path=path,
                    function=function,
                    status=status,
                    also=also,
                    own_problems=problems,
                    body=hints.get("body"),
                    query=hints.get("query", Query),
                    answer=answer if isinstance(answer, type) and issubclass(answer, BaseModel) else None,
                    needs_key=hints["call"] is UserCall,
                    permission=permission,
                )
            )
            return function

        return keep
