"""Everything that the API's routes work with."""

from functools import cached_property

from lambdas.access.caller import AccessStore
from lambdas.access.usage import UsageStore
from lambdas.access.wait_slots import WaitSlots
from lambdas.assembly.assets import Assets
from lambdas.assembly.jobs import Jobs
from lambdas.assets.asset_pictures import AssetPictures
from lambdas.assets.removal import AssetRemoval
from lambdas.assets.upload_storage import UploadStorage
from lambdas.assets.uploads import Uploads
from lambdas.assets.work import AssetWork
from lambdas.endpoints.choice import EndpointChooser
from lambdas.endpoints.creation import EndpointCreation
from lambdas.endpoints.instance_counts import InstanceCounts
from lambdas.endpoints.prices import GpuPrices
from lambdas.endpoints.record import EndpointStore
from lambdas.endpoints.registry import EndpointRegistry
from lambdas.endpoints.sagemaker import SageMakerEndpoints
from lambdas.jobs.deletion import Deletion
from lambdas.jobs.idempotency import IdempotencyKeys
from lambdas.jobs.request_documents import RequestDocuments
from lambdas.jobs.resolution import Resolver
from lambdas.jobs.style_files import StyleFiles
from lambdas.settings import ApiSettings


class Api(Jobs[ApiSettings], Assets[ApiSettings]):
    @cached_property
    def callers(self) -> AccessStore:
        return AccessStore(
            self.clients.dynamodb,
            self.settings.ACCESS_TABLE,
            requests_per_minute=self.settings.KEY_REQUESTS_PER_MINUTE,
            monotonic=self.clock.monotonic,
            now=self.clock.now,
        )

    @cached_property
    def usage(self) -> UsageStore:
        return UsageStore(self.access_table, self.settings.GPU_PRICE_PER_HOUR)

    @cached_property
    def wait_slots(self) -> WaitSlots:
        return WaitSlots(self.access_table, self.settings.WAITING_REQUESTS)

    @cached_property
    def work(self) -> AssetWork:
        return AssetWork(
            inspection=self.inspection,
            client=self.clients.functions,
            inspection_function=self.settings.INSPECTION_FUNCTION,
            import_function=self.settings.IMPORT_FUNCTION,
        )

    @cached_property
    def uploads(self) -> Uploads:
        storage = UploadStorage(self.clients.s3, self.settings.ASSETS_BUCKET)
        return Uploads(self.asset_transitions, self.work, storage)

    @cached_property
    def asset_pictures(self) -> AssetPictures:
        return AssetPictures(self.clients.s3, self.settings.ASSETS_BUCKET)

    @cached_property
    def removal(self) -> AssetRemoval:
        return AssetRemoval(self.uploads, self.pages.user_of, self.settings.DELETED_MODELS_DAYS)

    @cached_property
    def endpoints(self) -> SageMakerEndpoints:
        return SageMakerEndpoints(self.clients.sagemaker, self.clients.sagemaker_runtime)

    @cached_property
    def registry(self) -> EndpointRegistry:
        store = EndpointStore(self.clients.dynamodb, self.settings.ENDPOINTS_TABLE)
        return EndpointRegistry(store, self.settings.ENDPOINT_PREFIX, self.settings.ENDPOINT_NAME)

    @cached_property
    def instance_counts(self) -> InstanceCounts:
        return InstanceCounts(self.endpoints, self.clock.monotonic)

    @cached_property
    def gpu_prices(self) -> GpuPrices:
        return GpuPrices(self.registry.store, self.clock.monotonic)

    @cached_property
    def chooser(self) -> EndpointChooser:
        gpus = self.settings.ENDPOINT_GPUS
        return EndpointChooser(self.registry, self.load, self.instance_counts, gpus, self.clock.monotonic)

    @cached_property
    def endpoint_creation(self) -> EndpointCreation:
        return EndpointCreation(self.clients.sagemaker, self.settings.ENDPOINT_NAME, self.settings.ENDPOINT_PREFIX)

    @cached_property
    def idempotency(self) -> IdempotencyKeys:
        return IdempotencyKeys(self.clients.dynamodb, self.settings.JOBS_TABLE)

    @cached_property
    def deletion(self) -> Deletion:
        return Deletion(self.jobs, self.job_transitions, self.objects)

    @cached_property
    def resolver(self) -> Resolver:
        return Resolver(self.assets, StyleFiles(self.clients.s3, self.settings.ASSETS_BUCKET))

    @cached_property
    def documents(self) -> RequestDocuments:
        return RequestDocuments(self.objects)
