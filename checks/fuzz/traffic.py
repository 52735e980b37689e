"""Generates requests from the OpenAPI document, sends them to a running API and checks the answers against it."""

import json
import random
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.core.result import Err
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
SECONDS_TO_ANSWER = 60
NOWHERE = "https://localhost:9/"
"""Replaces every URL, so that no request leaves the machine."""
_URL = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]*://\S*")
_KEPT = 40
"""The number of ids per kind that are reused; the first of each is always kept."""


@dataclass
class Known:
    """Ids of created things by the path that uses them; answers to POST add to them."""

    own_user: str
    own_key_id: str
    ids: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))

    def learn(self, path: str, answer: object) -> None:
        """Keep the id that a POST to `path` returned."""
        if not isinstance(answer, dict):
            return
        kind = path.split("/")[2]
        for name in ("job_id", "asset_id", "key_id", "name"):
            if isinstance(answer.get(name), str):
                found = self.ids[kind]
                found.append(answer[name])
                del found[1 : len(found) - _KEPT]
                return

    def spared(self, value: object) -> bool:
        """Whether it must not be changed, because the run would lose its own access."""
        return value in (self.own_user, self.own_key_id)


@dataclass
class Traffic:
    """One run against one API."""

    url: str
    key: str
    document: Mapping[str, Any]
    known: Known
    bodies: Mapping[str, list[dict[str, Any]]]
    """Valid bodies by operation; every other example is one of them with one generated field."""
    random: random.Random
    answers: dict[str, Counter[int]] = field(default_factory=lambda: defaultdict(Counter))
    findings: dict[str, str] = field(default_factory=dict)
    """One example of each kind: operation and failure → the request and what was wrong."""
    throttled: int = 0

    def operations(self) -> list[Any]:
        """Every operation of the document.

        Raises:
            InvalidSchema: it is not an OpenAPI document.
        """
        schema = schemathesis.openapi.from_dict(dict(self.document))
        schema.config.update(base_url=self.url)
        operations = []
        for found in schema.get_all_operations():
            if isinstance(found, Err):
                raise found.err()
            operations.append(found.ok())
        return operations

    def send_examples(self, operation: Any, mode: GenerationMode, *, examples: int, enough: Callable[[], bool]) -> None:
        """Send up to `examples` requests to one operation."""

        @seed(self.random.randrange(2**32))
        @settings(
            max_examples=examples,
            deadline=None,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy(generation_mode=mode))
        def send(case: Any) -> None:
            if not enough():
                self.send(case, positive=mode is GenerationMode.POSITIVE)

        with suppress(Unsatisfiable):  # this operation cannot get invalid input
            send()

    def send(self, case: Any, *, positive: bool) -> None:
        """Send one request, with existing ids and without other hosts, and check its answer."""
        label = case.operation.label
        self._steer(case, positive=positive)
        case.headers = {**(case.headers or {}), "x-api-key": self.key}
        try:
            response = case.call(timeout=SECONDS_TO_ANSWER)
        except requests.exceptions.RequestException as error:
            self.finding(label, type(error).__name__, str(error))
            return
        self.count(label, response.status_code, response.text)
        try:
            case.validate_response(response, checks=CHECKS)
        except FailureGroup as group:
            for failure in group.exceptions:
                title = f"{type(failure).__name__} {response.status_code}"
                self.finding(label, title, f"{_shown(case)}\n{failure}\n{response.text[:500]}")
        if case.method == "POST" and response.status_code in (200, 201):
            self.known.learn(case.operation.path, response.json())

    def count(self, label: str, status: int, text: str) -> None:
        """Count an answer."""
        self.answers[label][status] += 1
        if status == requests.codes.too_many_requests and '"quota_exceeded"' not in text:
            self.throttled += 1

    def finding(self, label: str, title: str, text: str) -> None:
        """Record a finding if it is the first of its kind."""
        self.findings.setdefault(f"{label}: {title}", text)

    def _steer(self, case: Any, *, positive: bool) -> None:
        parameters = case.path_parameters or {}
        ids = self.known.ids[case.operation.path.split("/")[2]]
        for name in parameters:
            if ids and self.random.random() < (0.8 if positive else 0.3):
                parameters[name] = self.random.choice(ids)
            if case.method != "GET" and self.known.spared(parameters[name]):
                parameters[name] = "somebody-else"
        good = self.bodies.get(case.operation.label)
        if good and isinstance(case.body, dict) and self.random.random() < 0.6:
            body = json.loads(json.dumps(self.random.choice(good)))
            if case.body and self.random.random() < 0.7:
                name = self.random.choice(sorted(case.body))
                body[name] = case.body[name]
            case.body = body
        case.body = without_hosts(case.body)


def without_hosts(value: Any) -> Any:
    """The value with every URL in it replaced by NOWHERE."""
    if isinstance(value, str):
        return _URL.sub(NOWHERE, value)
    if isinstance(value, bytes):
        return _URL.sub(NOWHERE, value.decode("latin-1")).encode("latin-1")
    if isinstance(value, dict):
        return {without_hosts(name): without_hosts(item) for name, item in value.items()}
    if isinstance(value, list):
        return [without_hosts(item) for item in value]
    return value


def table(answers: Mapping[str, Counter[int]]) -> Iterator[str]:
    """Numbers of answers by operation and status."""
    statuses = sorted({status for counts in answers.values() for status in counts})
    yield "".join(["operation".ljust(44), *(str(status).rjust(6) for status in statuses)])
    for label, counts in sorted(answers.items()):
        yield "".join([label.ljust(44), *(str(counts[status] or "").rjust(6) for status in statuses)])


def unseen(document: Mapping[str, Any], answers: Mapping[str, Counter[int]]) -> Iterator[str]:
    """Documented statuses of each operation that no answer had."""
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            label = f"{method.upper()} {path}"
            never = sorted(int(status) for status in operation["responses"] if status.isdigit())
            never = [status for status in never if not answers.get(label, Counter())[status]]
            if never:
                yield f"{label.ljust(44)} {', '.join(map(str, never))}"


def _shown(case: Any) -> str:
    body = repr(case.body)[:400]
    return f"{case.method} {case.formatted_path[:200]} query {str(case.query)[:200]} body {body}"
