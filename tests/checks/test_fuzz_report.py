"""What the fuzz run tells of answers that never came, and of preflight answers."""

from collections import Counter

import pytest

from checks.fuzz.absurd import preflights, why_wrong_preflight
from checks.fuzz.traffic import unseen

RESPONSES: dict[str, dict[str, str]] = {"200": {}, "404": {}, "429": {}, "default": {}}
DOCUMENT = {"paths": {"/v1/jobs/{job_id}": {"get": {"responses": RESPONSES}, "delete": {"responses": RESPONSES}}}}
GOOD = {"Access-Control-Allow-Origin": "*"}


def test_documented_answers_that_never_came_are_told_by_operation() -> None:
    answers = {
        "GET /v1/jobs/{job_id}": Counter({404: 3, 500: 1}),
        "DELETE /v1/jobs/{job_id}": Counter({200: 1, 404: 1, 429: 1}),
    }

    assert [line.split() for line in unseen(DOCUMENT, answers)] == [["GET", "/v1/jobs/{job_id}", "200,", "429"]]
    assert len(list(unseen(DOCUMENT, {}))) == 2


def test_every_path_is_asked_before_it_is_asked() -> None:
    asked = {request.path for request in preflights(DOCUMENT["paths"])}

    assert "/v1/jobs/x" in asked
    assert {request.method for request in preflights(DOCUMENT["paths"])} == {"OPTIONS"}


@pytest.mark.parametrize(
    ("status", "headers", "words"),
    [
        (200, GOOD, "status 200"),
        (204, {}, "allowed origin None"),
        (204, {**GOOD, "Content-Length": "2"}, "a body where none is allowed"),
    ],
)
def test_a_preflight_answer_that_no_browser_takes_is_a_finding(
    status: int, headers: dict[str, str], words: str
) -> None:
    assert words in str(why_wrong_preflight(status, headers))
    assert why_wrong_preflight(204, GOOD) is None
