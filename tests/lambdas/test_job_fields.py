"""Every field of a job is where it belongs: in the row, the views, the lists, a job sent again.

Whoever adds a field to the record or to the contract hears from here what it still lacks.
"""

from collections.abc import Iterator, Mapping
from dataclasses import MISSING, fields
from typing import Any

import pytest
from pydantic import BaseModel
from pydantic_core import to_jsonable_python

from generate_on_cloud.contract.errors import JobError, JobErrorCode
from generate_on_cloud.contract.job_bodies import CreateJob, ImageView, JobSummary, JobView, ResultView
from generate_on_cloud.contract.jobs import JobStatus
from generate_on_cloud.contract.messages import JobRequest, JobResult, OutputImage
from generate_on_cloud.contract.webhooks import WebhookJob
from lambdas.api.job_creation import ASKED as KEPT
from lambdas.api.job_views import job_summary, job_view
from lambdas.aws.rows import from_item, read_record, to_item
from lambdas.jobs.record import JobRecord
from tests.job_examples import ASKED, RECORD
from tests.lambdas.cloud import Cloud

FIELDS = tuple(each.name for each in fields(JobRecord))
NOT_KEPT = {"params", "dry_run"}
"""What clients ask for that is no part of the job: the params go to the request document, a rehearsal makes no job."""
NOT_SHOWN = {
    "owner", "queued_at", "params_key", "request_key", "output_key", "failure_key", "preview", "heartbeat_at", "sends",
    "sent_again_at", "refusals", "worker_lost_at", "queue_lost_at", "charge", "counted", "webhook", "deliveries",
    "open", "strict", "thumbnail", "megapixel_steps",
    "losses", "retry_at", "skips",
}  # fmt: skip
"""Fields of the record that its view leaves out."""
COMPUTED = {
    "line", "dry_run", "queue", "starting_since", "seeds", "queued_seconds", "run_seconds", "upload", "preview_url",
    "result", "thumbnail_url", "estimate", "cost_usd",
}  # fmt: skip
"""Fields of the view that are no field of the record: written by hand in `job_views`, or properties of the record."""


SIGNED = ("thumbnail_url",)
"""Signed anew for each answer."""


def is_default(model: BaseModel, name: str) -> bool:
    field = type(model).model_fields[name]
    return not field.is_required() and getattr(model, name) == field.get_default(call_default_factory=True)


@pytest.mark.parametrize("field", fields(JobRecord), ids=lambda field: field.name)
def test_every_field_of_the_record_survives_its_row(field: Any) -> None:
    factory = field.default_factory
    default = field.default if factory is MISSING else factory()

    row = from_item(to_item(RECORD.new_row(retention_days=1)))

    assert getattr(RECORD, field.name) != default, f"give RECORD an example of {field.name}"
    assert getattr(read_record(JobRecord, row), field.name) == getattr(RECORD, field.name)


def test_a_new_row_has_the_fields_by_name_and_when_it_expires() -> None:
    assert RECORD.new_row(retention_days=1).keys() == {*FIELDS, "expires_at"}


@pytest.mark.parametrize("name", CreateJob.model_fields)
def test_every_field_that_clients_ask_for_is_a_field_of_the_record_or_known_not_to_be(name: str) -> None:
    assert not is_default(ASKED, name), f"give ASKED an example of {name}"
    assert (name in KEPT) != (name in NOT_KEPT)


@pytest.mark.parametrize("name", FIELDS)
def test_every_field_of_the_record_is_shown_or_known_not_to_be(name: str) -> None:
    assert (name in JobView.model_fields) != (name in NOT_SHOWN)


@pytest.mark.parametrize("name", JobView.model_fields)
def test_every_field_of_the_view_is_copied_from_the_record_or_computed(cloud: Cloud, name: str) -> None:
    view, line = job_view(cloud.services, RECORD), job_summary(cloud.services, RECORD)

    assert (name in FIELDS) != (name in COMPUTED)
    if name == "progress":
        assert view.progress is not None
        assert RECORD.progress is not None
        assert view.progress.model_dump().items() >= RECORD.progress.model_dump().items()
    elif name in FIELDS:
        assert to_jsonable_python(getattr(view, name)) == to_jsonable_python(getattr(RECORD, name))
    if name in JobSummary.model_fields and name not in SIGNED:
        assert getattr(line, name) == getattr(view, name)


def ask(cloud: Cloud, **changes: Any) -> dict[str, Any]:
    """A new job's view, with every field that clients may ask for."""
    body = ASKED.model_copy(update=changes).model_dump(mode="json")
    return dict(cloud.ask("POST", "/v1/jobs", body).ok(200 if body["dry_run"] else 201))


@pytest.fixture
def artist(cloud: Cloud) -> Cloud:
    """Has a checkpoint and a secret for webhooks."""
    cloud.checkpoint()
    cloud.ask("POST", "/v1/me/webhook-secret", {}).ok()
    return cloud


def in_all_states(cloud: Cloud) -> Iterator[Mapping[str, Any]]:
    """Views of jobs: rehearsed, created, queued, running, failed, succeeded, sent again."""
    yield ask(cloud)
    yield ask(cloud, strict=False, params={"url": "http://localhost:7860"})
    yield ask(cloud, dry_run=False, params=None)
    job_id = str(ask(cloud, dry_run=False)["job_id"])
    cloud.endpoint.instances = 0

    def seen() -> Mapping[str, Any]:
        view: Mapping[str, Any] = cloud.ask("GET", f"/v1/jobs/{job_id}").ok()
        listed = [line for line in cloud.ask("GET", "/v1/jobs").ok()["jobs"] if line["job_id"] == job_id]
        others = {name: listed[0][name] for name in ("progress", *SIGNED)}
        assert listed == [{name: view[name] for name in JobSummary.model_fields} | others]
        return view

    yield seen()
    cloud.run(job_id)
    cloud.write(job_id, progress={"phase": "sampling", "step": 3, "steps": 9, "previews": 1})
    cloud.ask("POST", f"/v1/jobs/{job_id}/cancel").ok()
    yield seen()
    job = cloud.jobs.get(job_id)
    assert job is not None
    failure = JobError.of(JobErrorCode.BAD_IMAGE, "why")
    assert cloud.job_transitions.finish(job, JobStatus.FAILED, now=cloud.clock.now, error=failure)
    cloud.ask("PATCH", f"/v1/jobs/{job_id}", {"starred": True}).ok()
    yield seen()
    cloud.put_result(job_id)
    cloud.write(job_id, status="succeeded", output_key=f"endpoint-output/{job_id}.out", thumbnail=True)
    yield seen()
    traced = {"traceparent": str(RECORD.traceparent)}
    yield cloud.ask("POST", f"/v1/jobs/{job_id}/retry", headers=traced).ok(201)


def test_every_field_of_the_view_says_something_in_some_state(artist: Cloud) -> None:
    views = [JobView.model_validate(view) for view in in_all_states(artist)]

    silent = {name for name in JobView.model_fields if all(is_default(view, name) for view in views)}
    assert silent == set()


@pytest.mark.parametrize("name", sorted(KEPT))
def test_a_job_and_one_sent_again_have_every_field_as_it_was_asked_for(artist: Cloud, name: str) -> None:
    job_id = str(ask(artist, dry_run=False)["job_id"])
    job = artist.jobs.get(job_id)
    assert job is not None
    assert artist.job_transitions.finish(job, JobStatus.CANCELED, now=artist.clock.now)

    again = artist.jobs.get(artist.ask("POST", f"/v1/jobs/{job_id}/retry").ok(201)["job_id"])

    wanted = artist.services.registry.default if name == "endpoint" else getattr(ASKED, name)
    assert getattr(job, name) == wanted
    assert getattr(again, name) == wanted
    assert again is not None
    assert again.retry_of == job_id


@pytest.mark.parametrize(
    ("view", "source", "others"),
    [
        (ResultView, JobResult, {"images"}),
        (ImageView, OutputImage, {"url"}),
        (WebhookJob, JobRecord, {"finished_at", "error_code"}),
        (JobRequest, JobRecord, {"contract_version", "params", "checkpoint", "assets", "pictures", "output_prefix"}),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_what_else_is_made_from_a_record_or_result_has_its_fields_by_name(
    view: type[BaseModel], source: Any, others: set[str]
) -> None:
    there = set(FIELDS) if source is JobRecord else set(source.model_fields)

    assert set(view.model_fields) - others <= there
