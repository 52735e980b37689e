"""What every route works with, made once for the function's life."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import cache

from lambdas.access.caller import AccessStore
from lambdas.access.roles import RoleStore
from lambdas.access.table import AccessTable
from lambdas.access.usage import UsageStore
from lambdas.access.users import UserStore
from lambdas.api.idempotency import IdempotencyKeys
from lambdas.assets.charged_bytes import AssetBytes
from lambdas.assets.inspection import Inspection
from lambdas.assets.removal import AssetRemoval
from lambdas.assets.store import AssetStore
from lambdas.assets.transitions import AssetTransitions
from lambdas.assets.upload_storage import UploadStorage
from lambdas.assets.uploads import Uploads
from lambdas.assets.work import AssetWork
from lambdas.aws.clients import (
    FunctionsClient,
    dynamodb_client,
    lambda_client,
    s3_client,
    sagemaker_client,
    sagemaker_runtime_client,
    sqs_client,
)
from lambdas.aws.cursors import CursorSigner
from lambdas.aws.items import utc_now
from lambdas.endpoints.choice import EndpointChooser
from lambdas.endpoints.creation import EndpointCreation
from lambdas.endpoints.instance_counts import InstanceCounts
from lambdas.endpoints.load import EndpointLoad
from lambdas.endpoints.record import EndpointStore
from lambdas.endpoints.registry import EndpointRegistry, Endpoints
from lambdas.jobs.counts import Counts
from lambdas.jobs.deletion import Deletion
from lambdas.jobs.handover import Delivery
from lambdas.jobs.objects import JobObjects
from lambdas.jobs.pages import JobPages
from lambdas.jobs.resolution import Resolver
from lambdas.jobs.run_times import RunTimes
from lambdas.jobs.settlement import Settlement, WebhookQueue
from lambdas.jobs.store import JobStore
from lambdas.jobs.style_files import StyleFiles
from lambdas.jobs.submission import Submission
from lambdas.jobs.transitions import JobTransitions
from lambdas.settings import ApiSettings


@dataclass(frozen=True)
class Services:
    settings: ApiSettings
    access: AccessStore
    users: UserStore
    roles: RoleStore
    usage: UsageStore
    jobs: JobStore
    job_transitions: JobTransitions
    pages: JobPages
    objects: JobObjects
    assets: AssetStore
    uploads: Uploads
    removal: AssetRemoval
    endpoints: Endpoints
    registry: EndpointRegistry
    load: EndpointLoad
    chooser: EndpointChooser
    endpoint_creation: EndpointCreation
    functions: FunctionsClient
    submission: Submission
    deletion: Deletion
    idempotency: IdempotencyKeys
    run_times: RunTimes
    instance_counts: InstanceCounts
    now: Callable[[], datetime] = utc_now
    monotonic: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep


@cache
def services_from_environment() -> Services:
    """The services of a deployed function."""
    settings = ApiSettings.from_environment()
    dynamodb, s3 = dynamodb_client(), s3_client()
    roles = RoleStore(AccessTable(dynamodb, settings.ACCESS_TABLE))
    usage = UsageStore(roles.access)
    load = EndpointLoad(roles.access)
    webhooks = WebhookQueue(sqs_client(), settings.WEBHOOK_QUEUE_URL)
    jobs = JobStore(dynamodb, settings.JOBS_TABLE)
    counts = Counts(jobs, usage, load)
    job_transitions = JobTransitions(jobs, Settlement(counts, webhooks))
    assets = AssetStore(dynamodb, settings.ASSETS_TABLE)
    objects = JobObjects(s3, settings.JOBS_BUCKET)
    pages = JobPages(dynamodb, settings.JOBS_TABLE, CursorSigner(dynamodb, settings.JOBS_TABLE))
    transitions = AssetTransitions(assets, AssetBytes(roles.access))
    functions = lambda_client()
    work = AssetWork(
        inspection=Inspection(transitions, s3, settings.ASSETS_BUCKET),
        client=functions,
        inspection_function=settings.INSPECTION_FUNCTION,
        import_function=settings.IMPORT_FUNCTION,
    )
    uploads = Uploads(transitions, work, UploadStorage(s3, settings.ASSETS_BUCKET))
    sagemaker = sagemaker_client()
    endpoints = Endpoints(sagemaker, sagemaker_runtime_client())
    default, prefix = settings.ENDPOINT_NAME, settings.ENDPOINT_PREFIX
    registry = EndpointRegistry(EndpointStore(dynamodb, settings.ENDPOINTS_TABLE), prefix, default)
    instance_counts = InstanceCounts(endpoints)
    return Services(
        settings=settings,
        access=AccessStore(dynamodb, settings.ACCESS_TABLE),
        users=UserStore(roles.access, roles),
        roles=roles,
        usage=usage,
        jobs=jobs,
        job_transitions=job_transitions,
        pages=pages,
        objects=objects,
        assets=assets,
        uploads=uploads,
        removal=AssetRemoval(uploads, pages),
        endpoints=endpoints,
        registry=registry,
        load=load,
        chooser=EndpointChooser(registry, load, instance_counts, settings.ENDPOINT_GPUS),
        endpoint_creation=EndpointCreation(sagemaker, default, prefix),
        functions=functions,
        deletion=Deletion(jobs, job_transitions, objects),
        idempotency=IdempotencyKeys(dynamodb, settings.JOBS_TABLE),
        run_times=RunTimes(dynamodb, settings.JOBS_TABLE),
        instance_counts=instance_counts,
        submission=Submission(
            counts=counts,
            transitions=job_transitions,
            registry=registry,
            resolver=Resolver(assets, StyleFiles(s3, settings.ASSETS_BUCKET)),
            objects=objects,
            delivery=Delivery(job_transitions, objects, endpoints),
            retention_days=settings.JOB_RETENTION_DAYS,
        ),
    )
