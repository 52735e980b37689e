"""The API's sentences in the words of the command line, and one line of help for common failures."""

import re
from collections.abc import Mapping
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from generate_on_cloud.client.errors import CloudError, ProblemError
from generate_on_cloud.contract.errors import ProblemCode

Body = TypeVar("Body", bound=BaseModel)
COMMANDS: Mapping[str, str] = {
    r"GET /v1/assets\?type=checkpoint": "goc assets list --type checkpoint",
    r"POST /v1/assets": "goc assets upload",
    r"POST /v1/assets/([\w-]+)/resume": r"goc assets resume \1 URL",
    r"GET /v1/assets": "goc assets list",
    r"PATCH /v1/assets(/\{?\w+\}?)?": "goc assets update",
    r"POST /v1/me/webhook-secret": "goc webhooks secret",
    r"PATCH /v1/me": "goc me update",
    r"GET /v1/me": "goc me",
    r"GET /v1/users": "goc users list",
    r"GET /v1/roles": "goc roles list",
    r"GET /v1/keys": "goc keys list",
    r"GET /v1/endpoints": "goc endpoints list",
    r"POST /v1/jobs/(\{?[\w-]+\}?)/start": r"goc api POST /v1/jobs/\1/start",
}
"""Requests that the API's texts advise, as regular expressions, longest first where one begins another."""


def in_commands(text: str) -> str:
    """The text with `goc` commands in place of requests; a request without a command gets `goc api`."""
    for request, command in COMMANDS.items():
        text = re.sub(rf"(?<!goc api )`?{request}`?(?![\w/?-])", f"`{command}`", text)
    return re.sub(r"(?<!goc api )`?\b((?:GET|POST|PUT|PATCH|DELETE) /v1/[\w/{}-]+)`?", r"`goc api \1`", text)


def explained(error: Exception, *, url: str | None) -> str:
    """The failure in one line, with what to do about it where that is known."""
    if not isinstance(error, ProblemError):
        return in_commands(str(error))
    problem = error.problem
    if problem.code is ProblemCode.UNAUTHORIZED:
        where = f" at {url}" if url else ""
        return f"the key is wrong, expired or revoked{where}: `goc auth login` saves another (GOC_API_KEY goes first)"
    text = in_commands(str(error))
    if problem.code is ProblemCode.FORBIDDEN and "permission" in problem.detail:
        first, *fields = text.splitlines()
        return "\n".join([f"{first}; `goc me` shows what this key may do", *fields])
    return text


def valid(body: type[Body], fields: Mapping[str, object]) -> Body:
    """A request's body from the options of a command.

    Raises:
        CloudError: a value is not allowed; the message names each.
    """
    try:
        return body.model_validate(dict(fields))
    except ValidationError as error:
        raise CloudError(faults_in(error)) from None


def faults_in(error: ValidationError) -> str:
    """Each fault with the field it is about."""
    return "; ".join(f"{'.'.join(map(str, fault['loc'])) or 'request'}: {fault['msg']}" for fault in error.errors())
