"""Webhooks: signed as the standard says, delivered at least once, tried ever later, and logged on the job."""

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

import pytest

from generate_on_cloud.contract.errors import JobError, JobErrorCode
from generate_on_cloud.contract.jobs import JobStatus
from generate_on_cloud.contract.webhooks import Webhook, sign
from generate_on_cloud.fetching.public_addresses import FetchError, FetchFailure
from generate_on_cloud.fetching.safe_fetch import FetchLimits, PostAnswer, SafeFetch
from lambdas.functions.webhook_times import BACK_OFF_SECONDS, MAX_ATTEMPTS
from lambdas.functions.webhooks import Webhooks, handle_batch
from tests.lambdas.cloud import SETTINGS, Cloud, aws_error, completed, failed, txt2img

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

URL = "https://artist.example.com/hook?x=1"


@dataclass
class Receiver:
    """A user's server: what it was sent, and what it answers."""

    answers: list[int | FetchError] = field(default_factory=list)
    posts: list[tuple[str, bytes, Mapping[str, str]]] = field(default_factory=list)

    def post(
        self, url: str, body: bytes, *, limits: FetchLimits, headers: Mapping[str, str] | None = None
    ) -> PostAnswer:
        assert limits.max_redirects >= 0
        self.posts.append((url, body, headers or {}))
        answer = self.answers.pop(0) if self.answers else 204
        if isinstance(answer, FetchError):
            raise answer
        return PostAnswer(answer, b"")


def verified(secret: str, post: tuple[str, bytes, Mapping[str, str]]) -> bool:
    """As a receiver reads the standard's text: some signature of the list is base64(HMAC-SHA256(key, id.time.body))."""
    _, body, headers = post
    key = base64.b64decode(secret.split("_", 1)[1])
    content = b".".join([headers["webhook-id"].encode(), headers["webhook-timestamp"].encode(), body])
    expected = base64.b64encode(hmac.new(key, content, hashlib.sha256).digest()).decode()
    return any(part.split(",") == ["v1", expected] for part in headers["webhook-signature"].split(" "))


def make_secret(cloud: Cloud, **body: object) -> str:
    return str(cloud.ask("POST", "/v1/me/webhook-secret", body).ok()["secret"])


def ended_job(cloud: Cloud, **webhook: Any) -> str:
    """The id of a job that has succeeded."""
    job = cloud.job(webhook=Webhook(url=URL, **webhook), metadata={"shot": "7"})
    cloud.events.handle(completed(job.job_id, cloud.put_result(job.job_id)))
    return job.job_id


def deliver(cloud: Cloud, receiver: Any, *, attempt: int = 1) -> list[str]:
    """What the queue does with what waits in it; the ids of messages that will come again."""
    webhooks = Webhooks(cloud.jobs, cloud.services.users, receiver, cloud.clock.moment)
    records = [
        {
            "messageId": job_id,
            "receiptHandle": "handle",
            "body": json.dumps({"job_id": job_id}),
            "attributes": {"ApproximateReceiveCount": str(attempt)},
        }
        for job_id in cloud.queue.sent
    ]
    queue = cast("SQSClient", cloud.queue)
    answer = handle_batch(webhooks, {"Records": records}, client=queue, queue_url=SETTINGS.WEBHOOK_QUEUE_URL)
    return [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]


def attempts(cloud: Cloud, job_id: str) -> list[Any]:
    return list(cloud.ask("GET", f"/v1/jobs/{job_id}/deliveries").ok()["deliveries"])


def test_an_ended_job_is_told_once_with_a_signature_the_receiver_can_check(cloud: Cloud) -> None:
    secret, receiver = make_secret(cloud), Receiver()
    job_id = ended_job(cloud)

    assert deliver(cloud, receiver) == []

    ((url, body, headers),) = receiver.posts
    told = json.loads(body)
    assert url == URL
    assert (told["type"], told["data"]["job_id"], told["data"]["metadata"]) == ("job.succeeded", job_id, {"shot": "7"})
    assert headers["webhook-id"] == job_id
    assert "traceparent" not in headers
    assert abs(int(headers["webhook-timestamp"]) - cloud.clock.now.timestamp()) < 5
    assert verified(secret, receiver.posts[0])
    (attempt,) = attempts(cloud, job_id)
    assert attempt == attempt | {"attempt": 1, "status": 204, "outcome": "delivered", "error": None}


def test_a_webhook_carries_the_trace_of_its_job(cloud: Cloud) -> None:
    make_secret(cloud)
    receiver, trace = Receiver(), "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    job = cloud.job(webhook=Webhook(url=URL), traceparent=trace)
    cloud.events.handle(completed(job.job_id, cloud.put_result(job.job_id)))

    deliver(cloud, receiver)

    ((_, _, headers),) = receiver.posts
    assert headers["traceparent"] == trace


def test_a_webhook_is_delivered_once_more_on_demand(cloud: Cloud) -> None:
    secret, receiver = make_secret(cloud), Receiver([410])
    job_id = ended_job(cloud)
    deliver(cloud, receiver)
    cloud.queue.sent.clear()

    reply = cloud.ask("POST", f"/v1/jobs/{job_id}/deliveries")
    assert [line["outcome"] for line in reply.ok(202)["deliveries"]] == ["given_up"]
    assert cloud.queue.sent == [job_id]
    deliver(cloud, receiver)

    told = [(line["attempt"], line["outcome"]) for line in attempts(cloud, job_id)]
    assert told == [(1, "given_up"), (2, "delivered")]
    assert verified(secret, receiver.posts[1])
    assert receiver.posts[0][2]["webhook-id"] == receiver.posts[1][2]["webhook-id"]


def test_only_a_finished_job_with_a_webhook_for_its_end_is_redelivered(cloud: Cloud) -> None:
    make_secret(cloud)
    unheard = ended_job(cloud, events=["job.failed"])
    plain = cloud.job()
    cloud.ask("POST", f"/v1/jobs/{plain.job_id}/cancel").ok()
    waiting = cloud.job(webhook=Webhook(url=URL))

    for job_id in (unheard, plain.job_id, waiting.job_id):
        cloud.ask("POST", f"/v1/jobs/{job_id}/deliveries").problem(409, "job_state_conflict")
    cloud.ask("POST", f"/v1/jobs/{unheard}/deliveries", user="bob").problem(404, "not_found")
    assert cloud.queue.sent == []


@pytest.mark.parametrize("body", [None, "", "{}"])
def test_a_secret_is_made_with_and_without_a_body(cloud: Cloud, body: str | None) -> None:
    made = cloud.ask("POST", "/v1/me/webhook-secret", body).ok()

    assert made["secret"].startswith("whsec_")
    assert made["previous_valid"] is False  # there was none before


def test_a_further_secret_says_whether_the_one_before_it_still_signs(cloud: Cloud) -> None:
    path = "/v1/me/webhook-secret"

    said = [cloud.ask("POST", path, {"keep_previous": kept}).ok()["previous_valid"] for kept in (True, True, False)]

    assert said == [False, True, False]


def test_the_signature_is_the_standards_own_example() -> None:
    body = b'{"test": 2432232314}'

    signature = sign(
        ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"],
        message_id="msg_p5jXN8AQM9LWM0D4loKWxJek",
        timestamp=1614265330,
        body=body,
    )

    assert signature == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_a_rotation_leaves_two_valid_secrets_and_another_one_drops_the_oldest(cloud: Cloud) -> None:
    secrets = [make_secret(cloud) for _ in range(3)]
    receiver = Receiver()
    ended_job(cloud)
    deliver(cloud, receiver)

    assert [verified(secret, receiver.posts[0]) for secret in secrets] == [False, True, True]

    only = make_secret(cloud, keep_previous=False)
    deliver(cloud, receiver)
    assert [verified(secret, receiver.posts[1]) for secret in (*secrets, only)] == [False, False, False, True]


def test_a_receiver_that_fails_is_asked_again_ever_later_and_then_given_up(cloud: Cloud) -> None:
    make_secret(cloud)
    job_id = ended_job(cloud)
    slow = FetchError(FetchFailure.TOO_SLOW, "artist.example.com is too slow")
    receiver = Receiver(answers=[500, slow, 302, 404, 429, 503, 500, 500])

    again = [deliver(cloud, receiver, attempt=attempt) for attempt in range(1, MAX_ATTEMPTS + 1)]

    assert again == [[job_id]] * (MAX_ATTEMPTS - 1) + [[]]
    assert tuple(cloud.queue.waits) == BACK_OFF_SECONDS
    assert len({body for _, body, _ in receiver.posts}) == 1
    log = attempts(cloud, job_id)
    assert [line["status"] for line in log] == [500, None, 302, 404, 429, 503, 500, 500]
    assert [line["outcome"] for line in log] == ["retrying"] * 7 + ["given_up"]
    assert log[1]["error"] == "artist.example.com is too slow"


@pytest.mark.parametrize("answer", [410, FetchError(FetchFailure.NOT_PUBLIC, "10.0.0.1 is not a public address")])
def test_a_receiver_that_is_gone_or_not_public_is_not_asked_again(cloud: Cloud, answer: Any) -> None:
    make_secret(cloud)
    job_id = ended_job(cloud)

    assert deliver(cloud, Receiver(answers=[answer])) == []

    (line,) = attempts(cloud, job_id)
    assert line["outcome"] == "given_up"


def test_a_webhook_never_reaches_this_machine_or_a_private_network(cloud: Cloud) -> None:
    make_secret(cloud)
    job_id = ended_job(cloud)

    deliver(cloud, SafeFetch(resolve=lambda _host, _port: ["127.0.0.1"]))

    (line,) = attempts(cloud, job_id)
    assert (line["outcome"], line["status"]) == ("given_up", None)


def test_only_the_events_that_were_wished_are_told(cloud: Cloud) -> None:
    make_secret(cloud)
    ended_job(cloud, events=["job.failed"])
    assert cloud.queue.sent == []

    wanted = cloud.job(webhook=Webhook(url=URL, events=["job.failed"]))
    location = cloud.put_failure(wanted.job_id, JobError.of(JobErrorCode.OUT_OF_MEMORY, "too large"))
    cloud.events.handle(failed(wanted.job_id, location))
    receiver = Receiver()
    deliver(cloud, receiver)

    assert cloud.queue.sent == [wanted.job_id]
    assert json.loads(receiver.posts[0][1])["data"]["error_code"] == "out_of_memory"


def test_every_way_to_an_end_is_told(cloud: Cloud) -> None:
    make_secret(cloud)
    jobs = [cloud.job(webhook=Webhook(url=URL)) for _ in range(3)]

    cloud.ask("POST", f"/v1/jobs/{jobs[0].job_id}/cancel").ok()
    cloud.events.handle(completed(jobs[1].job_id, cloud.put_result(jobs[1].job_id)))
    cloud.events.handle(completed(jobs[1].job_id, cloud.put_result(jobs[1].job_id)))
    cloud.job_transitions.finish(jobs[2], JobStatus.EXPIRED, now=cloud.clock.now)

    assert cloud.queue.sent == [job.job_id for job in jobs]


def test_a_queue_that_fails_delays_the_webhook_and_loses_nothing(cloud: Cloud) -> None:
    make_secret(cloud)
    cloud.queue.error = aws_error("ServiceUnavailable")
    job_id = ended_job(cloud)
    assert (cloud.status(job_id), cloud.queue.sent) == ("succeeded", [])
    cloud.queue.error = None

    for _ in range(2):
        cloud.sweeper.sweep(cloud.clock.now)

    assert cloud.queue.sent == [job_id]


def test_a_job_deleted_before_it_was_told_is_told_of_no_more(cloud: Cloud) -> None:
    make_secret(cloud)
    job_id, receiver = ended_job(cloud), Receiver()
    assert cloud.ask("DELETE", f"/v1/jobs/{job_id}").status == 204

    again = deliver(cloud, receiver)

    assert (again, receiver.posts, cloud.rows()) == ([], [], 0)


def test_a_table_that_fails_lets_the_message_come_again(cloud: Cloud) -> None:
    make_secret(cloud)
    job_id = ended_job(cloud)

    def fail(**_: object) -> None:
        raise aws_error("InternalServerError")

    cloud.dynamodb.meta.events.register_first("before-call.dynamodb.GetItem", fail, unique_id="fail")
    try:
        again = deliver(cloud, Receiver())
    finally:
        cloud.dynamodb.meta.events.unregister("before-call.dynamodb.GetItem", unique_id="fail")

    assert again == [job_id]


def test_a_job_is_sent_with_a_webhook_once_there_is_a_secret(cloud: Cloud) -> None:
    cloud.checkpoint()
    body = {**txt2img(), "webhook": {"url": URL}}

    problem = cloud.ask("POST", "/v1/jobs", body).problem(422, "invalid_params")
    assert problem["errors"][0]["pointer"] == "/webhook"
    make_secret(cloud)
    job_id = cloud.ask("POST", "/v1/jobs", body).ok(201)["job_id"]

    listed = cloud.ask("GET", f"/v1/jobs/{job_id}/deliveries").ok()
    assert listed["webhook"]["url"] == URL
    assert listed["deliveries"] == []
    cloud.ask("GET", f"/v1/jobs/{job_id}/deliveries", user="bob").problem(404, "not_found")


@pytest.mark.parametrize(
    "webhook",
    [
        {"url": "http://example.com"},
        {"url": "https://user:pass@example.com/"},
        {"url": "ftp://example.com"},
        {"url": "https://127.0.0.1:99999/"},
        {"url": "https://127.0.0.1/"},
        {"url": "https://127.0.0.1:8443/hook"},
        {"url": "https://0.0.0.0/"},
        {"url": "https://10.1.2.3/"},
        {"url": "https://172.16.0.9/"},
        {"url": "https://192.168.1.1/"},
        {"url": "https://100.64.0.1/"},
        {"url": "https://169.254.169.254/latest/meta-data/"},
        {"url": "https://[::1]/"},
        {"url": "https://[::]/"},
        {"url": "https://[fe80::1]/"},
        {"url": "https://[fd00:ec2::254]/"},
        {"url": "https://[::ffff:127.0.0.1]/"},
        {"url": "https://[::ffff:7f00:1]/"},
        {"url": "https://[64:ff9b::7f00:1]/"},
        {"url": "https://[2002:7f00:1::]/"},
        {"url": "https://2130706433/"},
        {"url": "https://0x7f000001/"},
        {"url": "https://0x7f.0.0.1/"},
        {"url": "https://0177.0.0.1/"},
        {"url": "https://127.1/"},
        {"url": "https://127.0.0.1./"},
        {"url": "https://①②⑦.0.0.1/"},
        {"url": "https://127。0。0。1/"},
        {"url": "https://224.0.0.1/"},
        {"url": "https://255.255.255.255/"},
        {"url": "x" * 3000},
        {"url": URL, "events": []},
        {"url": URL, "events": ["job.begun"]},
        {"url": URL, "secret": "s"},
        {},
    ],
)
def test_a_webhook_that_could_never_be_delivered_is_refused(cloud: Cloud, webhook: object) -> None:
    make_secret(cloud)
    cloud.checkpoint()

    problem = cloud.ask("POST", "/v1/jobs", {**txt2img(), "webhook": webhook}).problem(422, "invalid_params")

    assert problem["errors"][0]["pointer"].startswith("/webhook")
