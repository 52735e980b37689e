"""Jobs, put together for functions that finish them: rows, objects, counts and outcomes."""

from functools import cached_property
from typing import TypeVar

from lambdas.assembly.accounts import Accounts
from lambdas.aws.cursors import CursorSigner
from lambdas.endpoints.choice import EndpointLoad
from lambdas.endpoints.sagemaker import SageMakerEndpoints
from lambdas.jobs.counts import Counts
from lambdas.jobs.handover import Delivery
from lambdas.jobs.objects import JobObjects
from lambdas.jobs.outcomes import Outcomes
from lambdas.jobs.pages import JobPages
from lambdas.jobs.run_times import RunTimes
from lambdas.jobs.store import JobStore
from lambdas.jobs.transitions import JobTransitions
from lambdas.jobs.webhook_queue import WebhookQueue
from lambdas.settings import EndingSettings

SettingsT = TypeVar("SettingsT", bound=EndingSettings)


class Jobs(Accounts[SettingsT]):
    @cached_property
    def jobs(self) -> JobStore:
        return JobStore(self.clients.dynamodb, self.settings.JOBS_TABLE)

    @cached_property
    def load(self) -> EndpointLoad:
        return EndpointLoad(self.access_table)

    @cached_property
    def counts(self) -> Counts:
        return Counts(self.jobs, self.usage, self.load)

    @cached_property
    def job_transitions(self) -> JobTransitions:
        return JobTransitions(self.jobs, self.counts, self.webhook_queue)

    @cached_property
    def webhook_queue(self) -> WebhookQueue:
        return WebhookQueue(self.clients.sqs, self.settings.WEBHOOK_QUEUE_URL)

    @cached_property
    def pages(self) -> JobPages:
        signer = CursorSigner(self.clients.dynamodb, self.settings.JOBS_TABLE)
        return JobPages(self.clients.dynamodb, self.settings.JOBS_TABLE, signer)

    @cached_property
    def objects(self) -> JobObjects:
        return JobObjects(self.clients.s3, self.settings.JOBS_BUCKET)

    @cached_property
    def endpoints(self) -> SageMakerEndpoints:
        """They can only send jobs: these functions may not read an endpoint's state."""
        return SageMakerEndpoints(None, self.clients.sagemaker_runtime)

    @cached_property
    def delivery(self) -> Delivery:
        return Delivery(self.job_transitions, self.objects, self.endpoints)

    @cached_property
    def run_times(self) -> RunTimes:
        return RunTimes(self.clients.dynamodb, self.settings.JOBS_TABLE, monotonic=self.clock.monotonic)

    @cached_property
    def outcomes(self) -> Outcomes:
        return Outcomes(self.job_transitions, self.objects, self.delivery, self.run_times)
