"""The functions for model files: one inspects uploads, one imports from URLs."""

from typing import NamedTuple, cast

from aws_cdk import Duration
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from infrastructure.config import StageConfig
from infrastructure.function_maker import LONGEST, FunctionMaker
from infrastructure.permissions import BucketGrant, Grant, TableGrant
from infrastructure.storage import Storage
from lambdas.settings import AssetImportSettings, AssetInspectionSettings


class AssetFunctions(NamedTuple):
    inspection: lambda_.Function
    importing: lambda_.Function


def upload_grant(storage: Storage) -> BucketGrant:
    """Allows writing, completing, aborting and deleting uploads of model files."""
    return BucketGrant(
        storage.assets_bucket,
        {
            "assets/": [
                "AbortMultipartUpload",
                "DeleteObject",
                "GetObject",
                "ListMultipartUploadParts",
                "PutObject",
            ]
        },
    )


def add_asset_functions(
    scope: Construct, maker: FunctionMaker, *, config: StageConfig, storage: Storage
) -> AssetFunctions:
    """The inspection, which also runs every 15 minutes, and the import, which calls it."""
    assets, uploads = storage.assets_table, upload_grant(storage)
    asset_rows = ["DeleteItem", "GetItem", "UpdateItem"]
    counting = TableGrant(storage.access_table, ["UpdateItem"], keys=["load#*"])

    inspection = maker.make(
        "AssetInspection",
        handler="lambdas.functions.asset_inspection.handler",
        memory_megabytes=1769,  # a whole processor: it hashes as fast as storage delivers
        timeout=LONGEST,
        settings=AssetInspectionSettings(
            ASSETS_TABLE=assets.table_name,
            ACCESS_TABLE=storage.access_table.table_name,
            ASSETS_BUCKET=storage.assets_bucket.bucket_name,
            NONCOMMERCIAL_MODELS=config.noncommercial_models,
        ),
        grants=[
            TableGrant(assets, asset_rows, ["working-created_at"]),
            counting,
            BucketGrant(storage.assets_bucket, {"assets/": ["AbortMultipartUpload", "DeleteObject", "GetObject"]}),
        ],
    )
    events.Rule(
        scope,
        "EachQuarterHour",
        description="Finishes abandoned uploads, imports and inspections.",
        schedule=events.Schedule.rate(Duration.minutes(15)),
        targets=[targets.LambdaFunction(inspection, event=events.RuleTargetInput.from_object({}), retry_attempts=0)],
    )
    importing = maker.make(
        "AssetImport",
        handler="lambdas.functions.asset_import.handler",
        memory_megabytes=1024,
        timeout=LONGEST,
        settings=AssetImportSettings(
            ASSETS_TABLE=assets.table_name,
            ACCESS_TABLE=storage.access_table.table_name,
            ASSETS_BUCKET=storage.assets_bucket.bucket_name,
            NONCOMMERCIAL_MODELS=config.noncommercial_models,
            INSPECTION_FUNCTION=inspection.function_name,
        ),
        grants=[
            TableGrant(assets, asset_rows),
            counting,
            uploads,
            Grant(["lambda:InvokeFunction"], [inspection.function_arn]),
        ],
        invokes_itself=True,
    )
    # Not in the role's own policy, which the function depends on.
    iam.Policy(
        scope,
        "AssetImportGoesOn",
        roles=[cast("iam.Role", importing.role)],
        statements=[iam.PolicyStatement(actions=["lambda:InvokeFunction"], resources=[importing.function_arn])],
    )
    return AssetFunctions(inspection, importing)
