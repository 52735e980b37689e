"""What must not be lost: the buckets for jobs and assets, and the tables for jobs, assets, endpoints and access."""

from collections.abc import Sequence
from typing import Final

from aws_cdk import Duration
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3
from constructs import Construct

from infrastructure.config import StageConfig
from infrastructure.data_retention import removal_policy
from infrastructure.findings import acknowledge
from lambdas.jobs.lists import JOB_LISTS, SORT

_CHECKSUM_HEADERS: Final = tuple(
    f"x-amz-checksum-{name}" for name in ("crc32", "crc32c", "crc64nvme", "sha1", "sha256", "type")
)
"""With which S3 says what it has of an object or a part."""


class Storage(Construct):
    """Keys, indexes and prefixes are those in docs/architecture/01-jobs.md."""

    def __init__(self, scope: Construct, construct_id: str, *, config: StageConfig, key: kms.IKey | None) -> None:
        super().__init__(scope, construct_id)
        self._key = key
        self._removal = removal_policy(config)

        self.jobs_bucket = self._bucket("JobsBucket", expire_after=Duration.days(config.job_retention_days))
        self.assets_bucket = self._bucket("AssetsBucket", keep_deleted_days=config.deleted_models_days)
        # Keys only: a running job's row changes every second, and we would pay for each copy of it in every index.
        self.jobs_table = self._table(
            "JobsTable",
            key="job_id",
            indexes=[(partition, SORT) for partition in JOB_LISTS],
            projection=dynamodb.ProjectionType.KEYS_ONLY,
        )
        self.assets_table = self._table(
            "AssetsTable",
            key="asset_id",
            indexes=[
                (("type",), "name"),
                (("listed",), "type_name"),
                (("sha256",), "created_at"),
                (("working",), "created_at"),
            ],
        )
        self.endpoints_table = self._table("EndpointsTable", key="endpoint", indexes=[(("listed",), "endpoint")])
        self.access_table = self._table("AccessTable", key="access_id", indexes=[(("listing",), "place")])

    def _bucket(self, name: str, *, expire_after: Duration | None = None, keep_deleted_days: int = 0) -> s3.Bucket:
        bucket = s3.Bucket(
            self,
            name,
            encryption=s3.BucketEncryption.KMS if self._key else s3.BucketEncryption.S3_MANAGED,
            encryption_key=self._key,
            # One call to KMS instead of one per object.
            bucket_key_enabled=True if self._key else None,
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            object_ownership=s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
            enforce_ssl=True,
            removal_policy=self._removal,
            # The functions' roles may not delete versions: a stolen admin key deletes no model for good.
            versioned=True if keep_deleted_days else None,
            cors=[
                # Presigned URLs are the authority; a browser panel may have any origin, even file:// and localhost.
                s3.CorsRule(
                    allowed_methods=[s3.HttpMethods.GET, s3.HttpMethods.HEAD, s3.HttpMethods.PUT],
                    allowed_origins=["*"],
                    allowed_headers=["*"],
                    exposed_headers=["ETag", *_CHECKSUM_HEADERS],
                    max_age=3600,
                )
            ],
            lifecycle_rules=[
                s3.LifecycleRule(
                    abort_incomplete_multipart_upload_after=Duration.days(7),
                    expiration=expire_after,
                    # Also once the option is off again: a bucket that had versions goes on having them.
                    noncurrent_version_expiration=Duration.days(keep_deleted_days or 1),
                )
            ],
        )
        acknowledge(
            bucket, "S1", "objects are reached by presigned URLs, which the API logs with owner and job or asset id"
        )
        return bucket

    def _table(
        self,
        name: str,
        *,
        key: str,
        indexes: Sequence[tuple[tuple[str, ...], str]] = (),
        projection: dynamodb.ProjectionType = dynamodb.ProjectionType.ALL,
    ) -> dynamodb.Table:
        table = dynamodb.Table(
            self,
            name,
            partition_key=_text(key),
            billing_mode=dynamodb.BillingMode.PAY_PER_REQUEST,
            point_in_time_recovery_specification=dynamodb.PointInTimeRecoverySpecification(
                point_in_time_recovery_enabled=True
            ),
            time_to_live_attribute="expires_at",
            encryption=dynamodb.TableEncryption.CUSTOMER_MANAGED if self._key else dynamodb.TableEncryption.AWS_MANAGED,
            encryption_key=self._key,
            removal_policy=self._removal,
        )
        for partition, sort in indexes:
            table.add_global_secondary_index(
                index_name="-".join([*partition, sort]),
                partition_keys=[_text(name) for name in partition],
                sort_key=_text(sort),
                projection_type=projection,
            )
        return table


def _text(name: str) -> dynamodb.Attribute:
    return dynamodb.Attribute(name=name, type=dynamodb.AttributeType.STRING)
