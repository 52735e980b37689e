"""Notifications of the endpoint: every job ends once, whatever comes."""

import json
from datetime import timedelta
from itertools import permutations

import pytest
from botocore.exceptions import ClientError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from generate_on_cloud.contract.errors import JobError, JobErrorCode
from generate_on_cloud.contract.jobs import JobStatus
from generate_on_cloud.contract.messages import JobFailure
from lambdas.aws.rows import new_id
from lambdas.functions.job_events import JobEvents, handle_event
from lambdas.jobs.record import JobRecord
from tests.lambdas.cloud import Aws, Cloud, aws_error, completed, failed, notification

OOM = JobError.of(JobErrorCode.OUT_OF_MEMORY, "2048×2048 needs 30 GB")


def sent(cloud: Cloud, *, running: bool = True) -> JobRecord:
    """A job on its endpoint, with the locations the API keeps."""
    job_id = new_id()
    job = cloud.job(output_key=f"endpoint-output/{job_id}.out", failure_key=f"endpoint-failure/{job_id}-error.out")
    if running:
        cloud.run(job.job_id)
    return job


def deliver(cloud: Cloud, *bodies: str) -> list[str]:
    """Those that must come again."""
    return [body for body in bodies if comes_again(cloud.events, body)]


def comes_again(events: JobEvents, *bodies: str) -> bool:
    """Whether Lambda would try an event of these messages again."""
    records = [{"Sns": {"MessageId": str(number), "Message": body}} for number, body in enumerate(bodies)]
    try:
        handle_event(events, {"Records": records}, stack="test")
    except Exception:  # noqa: BLE001 - whatever it is, Lambda tries again
        return True
    return False


@pytest.mark.parametrize("running", [True, False])
def test_a_result_ends_the_job_succeeded_with_its_output(cloud: Cloud, running: bool) -> None:
    job = sent(cloud, running=running)
    location = cloud.put_result(job.job_id, key=job.output_key)

    assert deliver(cloud, completed(job.job_id, location)) == []

    row = cloud.row(job.job_id)
    assert (row["status"], row["output_key"]) == ("succeeded", job.output_key)
    assert "finished_at" in row
    assert "open" not in row


def test_a_result_can_overtake_the_note_of_its_location(cloud: Cloud) -> None:
    job = cloud.job()
    location = cloud.put_result(job.job_id)

    deliver(cloud, completed(job.job_id, location))
    cloud.job_transitions.keep_locations(
        job, output_key=f"endpoint-output/{job.job_id}.out", failure_key="endpoint-failure/x"
    )

    assert cloud.status(job.job_id) == "succeeded"
    assert cloud.ask("GET", f"/v1/jobs/{job.job_id}").ok()["result"]["images"][0]["seed"] == 7


def test_a_failure_of_the_container_keeps_its_own_reason(cloud: Cloud) -> None:
    job = cloud.job()
    location = cloud.put_failure(job.job_id, OOM)

    deliver(cloud, failed(job.job_id, location))

    assert cloud.ask("GET", f"/v1/jobs/{job.job_id}").ok()["error"] == OOM.model_dump(mode="json")
    assert cloud.status(job.job_id) == "failed"


def test_a_canceled_failure_ends_the_job_canceled(cloud: Cloud) -> None:
    job = cloud.job()
    location = cloud.put_failure(job.job_id, JobError.of(JobErrorCode.CANCELED, "canceled at step 3"))

    deliver(cloud, failed(job.job_id, location))

    assert cloud.status(job.job_id) == "canceled"


@pytest.mark.parametrize(
    "text",
    [
        'Received client error (507) from primary with message "{}". See https://console for more.',
        "{}",
    ],
)
def test_the_containers_reason_is_found_inside_sagemakers_text(cloud: Cloud, text: str) -> None:
    job = cloud.job()
    own = json.dumps({"contract_version": 1, "job_id": job.job_id, "error": OOM.model_dump(mode="json")})
    quoted = own.replace('"', '\\"') if "primary" in text else own
    location = cloud.put(f"endpoint-failure/{job.job_id}", text.replace("{}", quoted).encode())

    deliver(cloud, failed(job.job_id, location))

    assert cloud.row(job.job_id)["error"]["code"] == "out_of_memory"


@pytest.mark.parametrize(
    "data", [b"model container died", b"{}", b'{"error": 1}', b"\xff\xfe", b"", b"[" * 100_000, None]
)
def test_a_failure_in_no_known_form_means_the_worker_was_lost(cloud: Cloud, data: bytes | None) -> None:
    job = cloud.job()
    cloud.lose_worker(job.job_id)
    location = f"s3://jobs-bucket/endpoint-failure/{job.job_id}"
    if data is not None:
        cloud.put(f"endpoint-failure/{job.job_id}", data)

    deliver(cloud, failed(job.job_id, location, reason="the container was killed"))

    error = cloud.row(job.job_id)["error"]
    assert (error["code"], error["message"], error["retryable"]) == ("worker_lost", "the container was killed", True)


@pytest.mark.parametrize(("allowed", "lived"), [(None, 899), (None, 871), (3600, 3598), (10, 9)])
@pytest.mark.parametrize("data", [b"Your invocation timed out", None])
def test_a_run_that_sagemaker_cut_at_its_limit_timed_out_and_gets_no_second_worker(
    cloud: Cloud, allowed: int | None, lived: int, data: bytes | None
) -> None:
    """SageMaker's failure has no word of the container's, as when the container died."""
    job = sent(cloud)
    cloud.run(job.job_id, heartbeat=cloud.clock.now + timedelta(seconds=lived))
    if allowed is not None:
        cloud.write(job.job_id, run_timeout_s=allowed)
    location = f"s3://jobs-bucket/{job.failure_key}"
    if data is not None:
        cloud.put(str(job.failure_key), data)
    before = len(cloud.endpoint.invoked)

    deliver(cloud, failed(job.job_id, location, reason="Your invocation timed out"))

    row = cloud.row(job.job_id)
    assert (row["status"], row["error"]["code"]) == ("failed", "timed_out")
    assert row["error"]["message"] == f"The run was ended after {allowed or 900} s, which is its limit (run_timeout_s)."
    assert len(cloud.endpoint.invoked) == before


@pytest.mark.parametrize(("allowed", "lived"), [(None, 600), (3600, 3000), (10, 5)])
def test_a_worker_that_died_before_its_time_was_over_is_lost_and_the_job_gets_another(
    cloud: Cloud, allowed: int | None, lived: int
) -> None:
    job = sent(cloud)
    cloud.run(job.job_id, heartbeat=cloud.clock.now + timedelta(seconds=lived))
    if allowed is not None:
        cloud.write(job.job_id, run_timeout_s=allowed)

    deliver(cloud, failed(job.job_id, reason="the container was killed"))

    assert (cloud.status(job.job_id), len(cloud.endpoint.invoked)) == ("queued", 1)
    assert cloud.endpoint.limits[-1]["InvocationTimeoutSeconds"] == (allowed or 900)


def test_a_worker_that_says_it_was_stopped_is_lost_however_long_it_ran(cloud: Cloud) -> None:
    job = sent(cloud)
    cloud.run(job.job_id, heartbeat=cloud.clock.now + timedelta(seconds=895))
    stopped = JobFailure(job_id=job.job_id, error=JobError.of(JobErrorCode.WORKER_LOST, "the container was stopped"))
    location = cloud.put(str(job.failure_key), stopped.model_dump_json().encode())

    deliver(cloud, failed(job.job_id, location))

    assert cloud.status(job.job_id) == "queued"


def test_a_failure_without_any_object_is_told_with_sagemakers_reason(cloud: Cloud) -> None:
    job = sent(cloud)
    cloud.lose_worker(job.job_id)

    deliver(cloud, failed(job.job_id, reason="no capacity"))

    assert cloud.row(job.job_id)["error"]["message"] == "no capacity"


def test_a_request_that_waited_too_long_is_expired(cloud: Cloud) -> None:
    job = cloud.job()

    deliver(cloud, notification(job.job_id, "Expired"))

    assert (cloud.status(job.job_id), cloud.row(job.job_id)["error"]["code"]) == ("expired", "timed_out")


def test_an_output_that_is_no_result_fails_the_job_with_the_reason(cloud: Cloud) -> None:
    job = sent(cloud)
    assert job.output_key is not None
    location = cloud.put(job.output_key, b"<html>")

    deliver(cloud, completed(job.job_id, location))

    row = cloud.row(job.job_id)
    assert (row["status"], row["error"]["code"]) == ("failed", "internal")


@pytest.mark.parametrize("order", list(permutations(["success", "failure", "success again"], 3)))
def test_the_first_message_decides_and_the_rest_change_nothing(cloud: Cloud, order: tuple[str, ...]) -> None:
    job = cloud.job()
    bodies = {
        "success": completed(job.job_id, cloud.put_result(job.job_id)),
        "failure": failed(job.job_id, cloud.put_failure(job.job_id, OOM)),
    }
    bodies["success again"] = bodies["success"]
    deliver(cloud, bodies[order[0]])
    first = cloud.row(job.job_id)

    assert deliver(cloud, *(bodies[name] for name in order[1:])) == []

    assert cloud.row(job.job_id) == first


@pytest.mark.parametrize("status", ["canceled", "expired", "failed"])
def test_a_result_does_not_bring_an_ended_job_back(cloud: Cloud, status: str) -> None:
    job = sent(cloud)
    cloud.write(job.job_id, status=status)
    before = cloud.row(job.job_id)

    assert deliver(cloud, completed(job.job_id, cloud.put_result(job.job_id, key=job.output_key))) == []

    assert cloud.row(job.job_id) == before


def test_a_result_for_a_job_that_was_never_sent_changes_nothing(cloud: Cloud) -> None:
    job = cloud.job(status=JobStatus.CREATED)

    assert deliver(cloud, completed(job.job_id, cloud.put_result(job.job_id))) == []

    assert cloud.status(job.job_id) == "created"


def test_forged_messages_change_nothing_and_do_not_come_again(cloud: Cloud) -> None:
    job, other, bare = sent(cloud), sent(cloud), cloud.job()
    theirs = cloud.put_result(other.job_id, key=other.output_key)
    cloud.put("jobs/x/params.json", b"{}")
    before = [cloud.row(each.job_id) for each in (job, other, bare)]
    forged = [
        completed(new_id(), theirs),
        completed("name#x", theirs),
        completed("x" * 5000, theirs),
        completed(job.job_id, theirs),
        completed(job.job_id, f"s3://another-bucket/{job.output_key}"),
        completed(job.job_id, f"https://jobs-bucket/{job.output_key}"),
        completed(job.job_id, "s3://[/"),
        completed(bare.job_id, theirs),
        completed(bare.job_id, "s3://jobs-bucket/jobs/x/params.json"),
        completed(bare.job_id, "s3://jobs-bucket/endpoint-output/missing.out"),
        failed(job.job_id, f"s3://jobs-bucket/{other.failure_key}"),
        failed(job.job_id, "s3://another-bucket/x"),
        failed(bare.job_id, "s3://jobs-bucket/jobs/x/params.json"),
        failed(bare.job_id, cloud.put_failure(other.job_id, OOM)),
        notification(job.job_id, "Completed"),
        notification(job.job_id, "Renamed"),
    ]

    assert deliver(cloud, *forged) == []

    assert [cloud.row(each.job_id) for each in (job, other, bare)] == before


@settings(max_examples=40, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    body=st.one_of(
        st.text(max_size=50),
        st.builds(
            json.dumps,
            st.dictionaries(
                st.sampled_from(["inferenceId", "invocationStatus", "failureReason", "responseParameters"]),
                st.none()
                | st.integers()
                | st.text(max_size=9)
                | st.sampled_from(["Completed", "Failed"])
                | st.just({}),
            ),
        ),
        st.just("[" * 100_000),
    )
)
def test_a_malformed_message_is_dropped(cloud: Cloud, body: str) -> None:
    assert deliver(cloud, body) == []


@pytest.mark.parametrize(
    "body",
    [
        "Test",
        "",
        '"a text"',
        "[]",
        "{}",
        json.dumps({"eventSource": "aws:sagemaker", "eventName": "TestNotification"}),
        json.dumps({"Service": "Amazon SageMaker", "Event": "TestEvent"}),
    ],
)
def test_a_test_of_the_topic_is_no_warning(cloud: Cloud, body: str, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO"):
        assert deliver(cloud, body) == []

    assert [record.levelname for record in caplog.records if "is about no invocation" in record.message] == ["INFO"]
    assert not [record for record in caplog.records if record.levelname == "WARNING"]


def test_an_event_aws_kept_from_being_applied_comes_again(cloud: Cloud) -> None:
    job, unlucky = sent(cloud), sent(cloud)
    bodies = [
        completed(job.job_id, cloud.put_result(job.job_id, key=job.output_key)),
        completed(unlucky.job_id, cloud.put_result(unlucky.job_id, key=unlucky.output_key)),
        "malformed",
    ]

    class Flaky(JobEvents):
        def handle(self, message: str) -> None:
            if unlucky.job_id in message:
                raise aws_error("InternalServerError")
            super().handle(message)

    assert comes_again(Flaky(cloud.outcomes, cloud.clock.moment), *bodies)

    assert (cloud.status(job.job_id), cloud.status(unlucky.job_id)) == ("succeeded", "running")


def test_an_error_of_storage_is_not_taken_for_a_missing_object(aws: Aws, cloud: Cloud) -> None:
    job = sent(cloud)
    location = cloud.put_result(job.job_id, key=job.output_key)

    def refuse(**_: object) -> None:
        raise aws_error("AccessDenied")

    aws.s3.meta.events.register_first("before-call.s3.GetObject", refuse, unique_id="refuse")
    try:
        with pytest.raises(ClientError):
            cloud.events.handle(completed(job.job_id, location))
    finally:
        aws.s3.meta.events.unregister("before-call.s3.GetObject", unique_id="refuse")
    assert cloud.status(job.job_id) == "running"
