"""A route: its method, its path and the function that answers; the signature declares input and output.

A route function's parameters, by name: `call` (Call, UserCall or AnyCall), `body` and `query` (pydantic models), and
the path's parameters (str). The OpenAPI document is generated from the same signatures.

powertools' router accepts what our contract refuses: unknown query names, `1_0` as a number, repeated values, a wrong
method as 404. docs/architecture/05-decisions.md has the comparison.
"""

import json
import logging
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar, get_args, get_origin, get_type_hints

from pydantic import BaseModel, ConfigDict, field_validator

from generate_on_cloud.contract.access import Permission
from generate_on_cloud.contract.errors import ProblemCode
from generate_on_cloud.contract.trace_context import HEADER as TRACE_HEADER
from generate_on_cloud.contract.trace_context import read_traceparent
from lambdas.access.caller import Caller
from lambdas.assembly.api import Api

_AUDIT = logging.getLogger("audit")
_AUDIT.setLevel(logging.INFO)


@dataclass(frozen=True)
class Call:
    """One request to a route that works without a key."""

    services: Api
    headers: Mapping[str, str] = field(default_factory=dict)
    """The request's headers, with lower-case names."""
    correlation_id: str | None = None
    """The request's correlation id; a job created by it keeps the id."""

    @property
    def traceparent(self) -> str | None:
        """The request's W3C trace context; a job created by it keeps it."""
        trace = read_traceparent(self.headers[TRACE_HEADER]) if TRACE_HEADER in self.headers else None
        return trace.traceparent if trace else None

    def tags_known(self) -> list[str]:
        """The entity tags of `If-None-Match`."""
        return [tag.strip() for tag in self.headers.get("if-none-match", "").split(",") if tag.strip()]


@dataclass(frozen=True)
class UserCall(Call):
    """One request with a valid key."""

    caller: Caller = field(kw_only=True)

    def log_change(self, action: str, target: str, details: Mapping[str, object] | None = None) -> None:
        """Write the audit log's line: the caller did `action` (such as `user.created`) to `target`, with which key.

        One JSON object per change to accounts, assets, endpoints and jobs; never a secret.
        """
        who = {"by": self.caller.user, "key_id": self.caller.key_id}
        line = {"audit": action, **who, "target": target, **(details or {})}
        _AUDIT.info(json.dumps(line, sort_keys=True, default=str))


@dataclass(frozen=True)
class AnyCall(Call):
    """One request that may come with a valid key or without any."""

    caller: Caller | None = field(default=None, kw_only=True)

    def of(self, caller: Caller) -> UserCall:
        """The request as this caller's."""
        return UserCall(self.services, self.headers, self.correlation_id, caller=caller)


class Query(BaseModel):
    """Query parameters; unknown ones are refused."""

    model_config = ConfigDict(defer_build=True, extra="forbid")

    @field_validator("limit", "wait", mode="before", check_fields=False)
    @classmethod
    def _plain_number(cls, value: object) -> object:
        # Python itself would also accept `1_0` and ` 1`.
        if isinstance(value, str) and not re.fullmatch("-?[0-9]{1,18}", value):
            raise ValueError("input should be a whole number in plain digits")
        return value


Model_co = TypeVar("Model_co", bound=BaseModel, covariant=True)


@dataclass(frozen=True)
class Reply(Generic[Model_co]):
    """An answer with its own status or headers."""

    body: Model_co | None
    status: int | None = None
    """None: the route's status."""
    headers: Mapping[str, str] = field(default_factory=dict)


Answer = BaseModel | Reply[BaseModel] | dict[str, object]
RouteFunction = Callable[..., Answer]

_PARAMETER = re.compile(r"[-._~()'!*:@,;=+&$%<> \[\]{}|^\w]+")
"""What a path parameter matches; API Gateway decodes paths first."""
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
    """Other statuses that are not problems."""
    own_problems: tuple[ProblemCode, ...]
    body: type[BaseModel] | None
    query: type[BaseModel]
    answer: type[BaseModel] | None
    """None: a document without a model."""
    needs_key: bool
    takes_key: bool
    """Whether a key that is sent is checked."""
    permission: Permission | None = None
    """The permission that the key needs; None: any valid key, or no key if the route works without one."""

    @property
    def path_parameters(self) -> list[str]:
        return re.findall(r"{(\w+)}", self.path)

    @property
    def summary(self) -> str:
        return (self.function.__doc__ or "").strip().partition("\n")[0].rstrip(".")

    @property
    def problems(self) -> tuple[ProblemCode, ...]:
        """Every problem that this route may answer."""
        found = set(self.own_problems) | set(_COMMON)
        if self.body is not None:
            found |= set(_WITH_BODY)
        if self.takes_key:  # without the permission, or of a user who is disabled
            found |= {ProblemCode.UNAUTHORIZED, ProblemCode.FORBIDDEN}
        if self.path_parameters:  # some characters are never in a path
            found.add(ProblemCode.NOT_FOUND)
        return tuple(code for code in ProblemCode if code in found)

    def path_values(self, path: str) -> dict[str, str]:
        """The parameters by name, for a path that matches."""
        parts = zip(self.path.split("/"), path.split("/"), strict=False)
        return {part[1:-1]: value for part, value in parts if part.startswith("{")}

    def matches(self, path: str) -> bool:
        own, asked = self.path.split("/"), path.rstrip("/").split("/")
        return len(own) == len(asked) and all(
            part == other or (part.startswith("{") and other) for part, other in zip(own, asked, strict=True)
        )


def find_route(routes: Iterable[Route], method: str, path: str) -> tuple[Route, dict[str, str]] | None:
    """The route for a request, with the values of its path parameters; None if there is none.

    A literal path wins over one with a parameter in the same place.
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
        """Decorator that registers the function."""

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
                    takes_key=hints["call"] is not Call,
                    permission=permission,
                )
            )
            return function

        return keep
