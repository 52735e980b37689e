"""The API as an OpenAPI 3.1 document, generated from the routes' signatures and the contract's models."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode, models_json_schema

from generate_on_cloud.contract.bodies import Body
from generate_on_cloud.contract.errors import PROBLEMS, Problem, ProblemCode
from generate_on_cloud.contract.job_bodies import CreateJob
from generate_on_cloud.contract.params import PARAMS_BY_TASK
from lambdas.api.routes import Route

_REFERENCE = "#/components/schemas/{model}"
_ALSO = {200: "Done, nothing was created", 304: "Not changed"}
_Key = tuple[type[BaseModel], JsonSchemaMode]


def openapi_document(routes: Sequence[Route], *, version: str) -> dict[str, object]:
    """The whole OpenAPI document for `routes`."""
    schemas, components = models_json_schema(_models(routes), ref_template=_REFERENCE)
    definitions = components["$defs"]
    _type_params(definitions)
    paths: dict[str, dict[str, object]] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, schemas)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Generate on Cloud",
            "version": version,
            "description": "Stable Diffusion WebUI jobs on your own endpoint.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": paths,
        "components": {
            "schemas": definitions,
            "securitySchemes": {
                "api_key": {"type": "apiKey", "in": "header", "name": "x-api-key"},
                "bearer": {"type": "http", "scheme": "bearer"},
            },
        },
    }


def _models(routes: Sequence[Route]) -> list[_Key]:
    models: list[_Key] = [(Problem, "serialization")]
    models += [(params, "validation") for params in dict.fromkeys(PARAMS_BY_TASK.values())]
    for route in routes:
        models += [(route.body, "validation")] if route.body else []
        models += [(route.query, "validation")]
        models += [(route.answer, "serialization")] if route.answer else []
    return list(dict.fromkeys(models))


def _type_params(definitions: dict[str, Any]) -> None:
    """Type `params`, a plain object in the model because its type depends on the task."""
    names = [params.__name__ for params in dict.fromkeys(PARAMS_BY_TASK.values())]
    create_job = definitions[CreateJob.__name__]["properties"]["params"]
    create_job["anyOf"] = [*({"$ref": _REFERENCE.format(model=name)} for name in names), {"type": "null"}]


def _operation(route: Route, schemas: Mapping[Any, Any]) -> dict[str, object]:
    schema = {"type": "object"} if route.answer is None else schemas[route.answer, "serialization"]
    done: dict[str, object] = {"description": "Done"}
    if route.status != HTTPStatus.NO_CONTENT:
        done["content"] = {"application/json": {"schema": schema}}
    operation: dict[str, object] = {
        "operationId": route.function.__name__,
        "summary": route.summary,
        "tags": [route.path.split("/")[2] if route.takes_key else "service"],
        "security": _security(route),
        "responses": {
            str(route.status): done,
            **{str(status): {"description": _ALSO[status]} for status in route.also},
            **_problem_responses(route.problems),
        },
    }
    if route.permission is not None:
        operation["x-permission"] = route.permission.value
    parameters = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in route.path_parameters
    ]
    query = route.query.model_json_schema(ref_template=_REFERENCE)
    parameters += [
        {"name": name, "in": "query", "required": name in query.get("required", []), "schema": schema}
        for name, schema in query.get("properties", {}).items()
    ]
    if parameters:
        operation["parameters"] = parameters
    if route.body is not None:
        schema = schemas[route.body, "validation"]
        operation["requestBody"] = {
            "required": not (issubclass(route.body, Body) and route.body.may_be_absent),
            "content": {"application/json": {"schema": schema}},
        }
    return operation


def _security(route: Route) -> list[dict[str, list[str]]]:
    """One of these must be sent; the empty one is no key."""
    keyed: list[dict[str, list[str]]] = [{"api_key": []}, {"bearer": []}] if route.takes_key else []
    return keyed if route.needs_key or not keyed else [*keyed, {}]


def _problem_responses(codes: tuple[ProblemCode, ...]) -> dict[str, object]:
    by_status: dict[int, list[ProblemCode]] = {}
    for code in codes:
        by_status.setdefault(PROBLEMS[code].status, []).append(code)
    return {
        str(status): {
            "description": "; ".join(f"{code}: {PROBLEMS[code].title}" for code in members),
            "content": {"application/problem+json": {"schema": {"$ref": _REFERENCE.format(model="Problem")}}},
        }
        for status, members in sorted(by_status.items())
    }
