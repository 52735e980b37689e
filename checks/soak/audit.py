"""Checks everything that a soak left in the cloud: nothing lost, nothing doubled, nothing left behind."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

import httpx

from checks.soak.clients import Seen, SoakClient
from checks.soak.receivers import Expected, Receivers, faults
from generate_on_cloud.client.cloud import GenerateOnCloud
from generate_on_cloud.contract.accounts import UsagePage
from generate_on_cloud.contract.job_bodies import JobSummary
from generate_on_cloud.contract.jobs import TERMINAL, JobStatus
from generate_on_cloud.contract.messages import THUMBNAIL_NAME
from local_cloud.clients import LocalClients
from local_cloud.cloud import LocalCloud

SHOWN = 5
"""Examples shown of a fault."""


@dataclass
class Findings:
    """Faults by kind; a good soak has none."""

    faults: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    counts: Counter[str] = field(default_factory=Counter)

    def expect(self, kind: str, wrong: Sequence[object]) -> None:
        """Record a fault of this kind for each of `wrong`."""
        self.counts[kind] += len(wrong)
        if wrong:
            self.faults[kind] += [str(one) for one in wrong]


def audit(cloud: LocalCloud, clients: Sequence[SoakClient], receivers: Receivers) -> Findings:
    """Compare everything in the cloud with what the users saw."""
    findings = Findings()
    seen = [one for client in clients for one in client.seen]
    findings.expect("job with another job's result or a wrong status", _own_faults(seen))
    ids = [job_id for one in seen for job_id in one.job_ids]
    findings.expect("two jobs of one request", [one for one, count in Counter(ids).items() if count > 1])
    _look_at_the_histories(cloud, clients, findings)
    _look_at_the_usage(cloud, clients, findings)
    told_of = [
        Expected(one.job, client.secret, dict(zip(one.job_ids, one.ends, strict=False)))
        for client in clients
        for one in client.seen
        if one.job.has_webhook
    ]
    findings.expect("webhook missing or wrong", faults(receivers.told(), told_of, receivers.refusals))
    aws = LocalClients(cloud.endpoint_url, cloud.root, region=cloud.settings.region)
    _look_at_the_tables(cloud, aws, findings)
    _look_at_the_queues(aws, findings)
    _look_at_the_objects(cloud, aws, seen, findings)
    return findings


def _own_faults(seen: Sequence[Seen]) -> list[str]:
    unended = [f"{one.job.number}: never finished" for one in seen if not one.ends or one.ends[-1] not in TERMINAL]
    return unended + [f"{one.job.number} ({one.job_ids[-1]}): {fault}" for one in seen for fault in one.faults]


def _look_at_the_histories(cloud: LocalCloud, clients: Sequence[SoakClient], findings: Findings) -> None:
    history: list[JobSummary] = []
    for client in clients:
        with GenerateOnCloud(cloud.api_url, client.key) as service:
            history += service.jobs.list()
    ids = [job_id for client in clients for one in client.seen for job_id in one.job_ids]
    there = Counter(job.job_id for job in history)
    findings.expect("job missing in the history", sorted(set(ids) - there.keys()))
    findings.expect("job in the history that no user sent", sorted(there.keys() - set(ids)))
    findings.expect("job listed twice", [one for one, count in there.items() if count > 1])
    findings.expect("job that has not finished", [job.job_id for job in history if job.status not in TERMINAL])


def _look_at_the_usage(cloud: LocalCloud, clients: Sequence[SoakClient], findings: Findings) -> None:
    """Check that each finished job was counted once for its user."""
    for client in clients:
        headers = {"x-api-key": client.key}
        answer = httpx.get(f"{cloud.api_url}/v1/usage", headers=headers, timeout=60).raise_for_status()
        days = UsagePage.model_validate_json(answer.content).days
        ends = Counter(str(end) for one in client.seen for end in one.ends)
        for status in (JobStatus.SUCCEEDED, JobStatus.FAILED, JobStatus.CANCELED, JobStatus.EXPIRED):
            told, true = sum(getattr(day, status) for day in days), ends[status]
            wrong = [] if told == true else [f"{client.user}: {told} {status} were counted, the user saw {true}"]
            findings.expect("wrong usage", wrong)


def _look_at_the_tables(cloud: LocalCloud, aws: LocalClients, findings: Findings) -> None:
    rows = aws.client("dynamodb").get_paginator("scan")
    jobs = [row for page in rows.paginate(TableName=cloud.outputs["JobsTableName"]) for row in page["Items"]]
    findings.expect("job that is not settled", [row["job_id"]["S"] for row in jobs if "open" in row])
    access = [row for page in rows.paginate(TableName=cloud.outputs["AccessTableName"]) for row in page["Items"]]
    held = [
        f"{row['access_id']['S']}: {row['open_jobs']['N']}"
        for row in access
        if row.get("open_jobs", {}).get("N", "0") != "0"
    ]
    findings.expect("place that is still taken", held)


def _look_at_the_queues(aws: LocalClients, findings: Findings) -> None:
    sqs = aws.client("sqs")
    for url in sqs.list_queues().get("QueueUrls", ()):
        told = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
        waiting = told.get("ApproximateNumberOfMessages", "0")
        count = int(waiting) + int(told.get("ApproximateNumberOfMessagesNotVisible", "0"))
        findings.expect("message left in a queue", [url.rsplit("/", 1)[-1]] * count)


def _look_at_the_objects(cloud: LocalCloud, aws: LocalClients, seen: Sequence[Seen], findings: Findings) -> None:
    """Check that each job has one picture, even if other workers began it, and that no unknown job has objects."""
    pages = (
        aws.client("s3")
        .get_paginator("list_objects_v2")
        .paginate(Bucket=cloud.outputs["JobsBucketName"], Prefix="jobs/")
    )
    keys = [one["Key"] for page in pages for one in page.get("Contents", ())]
    outputs = [key for key in keys if key.split("/")[2] == "output"]
    pictures = Counter(key.split("/")[1] for key in outputs if not key.endswith(THUMBNAIL_NAME))
    thumbnails = Counter(key.split("/")[1] for key in outputs if key.endswith(THUMBNAIL_NAME))
    known = {job_id for one in seen for job_id in one.job_ids}
    findings.expect("object of an unknown job", sorted({key for key in keys if key.split("/")[1] not in known}))
    wrong = [one.job_ids[-1] for one in seen if one.job_ids and pictures[one.job_ids[-1]] != 1]
    findings.expect("job without its one picture", wrong)
    unseen = [one.job_ids[-1] for one in seen if one.job_ids and thumbnails[one.job_ids[-1]] != 1]
    findings.expect("job without its one thumbnail", unseen)
