"""A request that comes when there are too many is sent again after the pause that the answer asks for."""

import httpx
import pytest

from generate_on_cloud.client.connection import BUSY_TRIES, Connection
from generate_on_cloud.client.errors import ProblemError


def refusal(code: str, *, pause: str | None) -> httpx.Response:
    problem = {"type": "x", "title": "x", "status": 429, "code": code, "detail": "x", "request_id": "x"}
    return httpx.Response(429, json=problem, headers={} if pause is None else {"retry-after": pause})


def tried(*answers: httpx.Response) -> tuple[int, list[float], str | None]:
    """Number of requests, pauses, and the code of the problem in the end."""
    left, requests, pauses = list(answers), list[httpx.Request](), list[float]()

    def answer(request: httpx.Request) -> httpx.Response:
        requests.append(request)
        return left.pop(0)

    http = httpx.Client(transport=httpx.MockTransport(answer))
    try:
        Connection("http://cloud.test", "key", http=http, sleep=pauses.append).tell("POST", "/v1/jobs")
    except ProblemError as error:
        return len(requests), pauses, str(error.problem.code)
    return len(requests), pauses, None


@pytest.mark.parametrize(
    ("answers", "outcome"),
    [
        ([refusal("too_many_requests", pause="2"), httpx.Response(204)], (2, [2.0], None)),
        ([refusal("too_many_requests", pause="2")] * BUSY_TRIES, (4, [2.0, 2.0, 2.0], "too_many_requests")),
        ([refusal("too_many_requests", pause="45")], (1, [], "too_many_requests")),
        ([refusal("too_many_requests", pause=None)], (1, [], "too_many_requests")),
        ([refusal("quota_exceeded", pause="2")], (1, [], "quota_exceeded")),
    ],
    ids=["once", "always", "for longer than a caller may like", "without a pause", "a quota"],
)
def test_a_busy_service_is_asked_again_a_few_times(
    answers: list[httpx.Response], outcome: tuple[int, list[float], str | None]
) -> None:
    assert tried(*answers) == outcome
