"""What the deployed template means, read from the synthesised files."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from generate_on_cloud.contract.instances import HOUR_USD
from generate_on_cloud.contract.jobs import WORKER_ATTRIBUTES
from inference_container.settings import ContainerSettings
from lambdas.api.cors import ANSWER_HEADERS, METHODS, REQUEST_HEADERS
from lambdas.functions.webhook_times import BACK_OFF_SECONDS, MAX_ATTEMPTS
from lambdas.settings import (
    ApiSettings,
    AssetImportSettings,
    AssetInspectionSettings,
    ConsoleSettings,
    EndpointKeeperSettings,
    FirstKeySettings,
    FunctionSettings,
    JobEventsSettings,
    SdapiSettings,
    SweeperSettings,
    WebhookSettings,
)

# pytest puts no folder on the import path: the fixtures' type is only needed by the checker.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from tests.infrastructure.conftest import Assembly

ROOT = Path(__file__).resolve().parents[2]

STAR_ACTIONS = {"cloudwatch:PutMetricData", "ecr:GetAuthorizationToken"}
"""The only actions allowed on `*`: AWS gives them no resource."""

SETTINGS: dict[str, type[FunctionSettings]] = {
    "lambdas.api.handler.handler": ApiSettings,
    "lambdas.console.handler.handler": ConsoleSettings,
    "lambdas.functions.asset_inspection.handler": AssetInspectionSettings,
    "lambdas.functions.asset_import.handler": AssetImportSettings,
    "lambdas.functions.endpoint_keeper.handler": EndpointKeeperSettings,
    "lambdas.functions.job_events.handler": JobEventsSettings,
    "lambdas.functions.sweeper.handler": SweeperSettings,
    "lambdas.functions.first_key.handler": FirstKeySettings,
    "lambdas.functions.webhooks.handler": WebhookSettings,
}


def as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def functions(assembly: "Assembly") -> dict[str, dict[str, Any]]:
    return {properties["Handler"]: properties for properties in assembly.resources("AWS::Lambda::Function").values()}


def statements_of(assembly: "Assembly", part: str) -> dict[str, set[str]]:
    """Resources (as JSON text) by action, of the policy with `part` in its logical id."""
    found: dict[str, set[str]] = {}
    for name, statement in assembly.statements():
        if part in name:
            for action in as_list(statement["Action"]):
                found.setdefault(action, set()).update(json.dumps(each) for each in as_list(statement["Resource"]))
    return found


def conditions_of(assembly: "Assembly", part: str, action: str, *, table: str = "") -> list[Any]:
    """The `Condition` of each statement that allows `action` on the table, of the policy with `part` in its id."""
    return [
        statement.get("Condition")
        for name, statement in assembly.statements()
        if part in name and action in as_list(statement["Action"]) and table in json.dumps(statement["Resource"])
    ]


def test_the_outputs_are_exactly_those_others_rely_on(aws: "Assembly") -> None:
    outputs = {name for name in aws.template["Outputs"] if not name.startswith("ExportsOutput")}

    assert outputs == {
        "ApiUrl",
        "ApiId",
        "AdminKeyParameter",
        "EndpointName",
        "JobsTableName",
        "AssetsTableName",
        "AccessTableName",
        "EndpointsTableName",
        "JobsBucketName",
        "AssetsBucketName",
    }


def test_local_and_aws_templates_differ_in_the_bundle_only(aws: "Assembly", local: "Assembly") -> None:
    texts = [
        [path.read_text().replace(each.lambda_asset.name.removeprefix("asset."), "BUNDLE") for path in paths]
        for each, paths in ((aws, aws.template_paths), (local, local.template_paths))
    ]

    assert texts[0] == texts[1]
    assert aws.lambda_asset.name != local.lambda_asset.name


def test_the_core_stands_without_the_gpu_endpoint(aws: "Assembly") -> None:
    core, inference, _ = (path.read_text() for path in aws.template_paths)

    assert aws.stack_names == ["GenerateOnCloud", "GenerateOnCloud-Inference", "GenerateOnCloud-Ops"]
    assert "Fn::ImportValue" not in core
    assert "AWS::SageMaker" not in core
    assert "AWS::SageMaker::Endpoint" in inference


def test_no_name_region_or_account_is_fixed(aws: "Assembly") -> None:
    text = "".join(path.read_text() for path in aws.template_paths)
    names = {
        "BucketName", "TableName", "FunctionName", "RoleName", "QueueName", "TopicName", "ModelName",
        "EndpointConfigName", "LogGroupName", "AlarmName",
    }  # fmt: skip
    named = [
        (logical_id, name)
        for logical_id, resource in aws.template["Resources"].items()
        for name, value in resource.get("Properties", {}).items()
        if name in names and isinstance(value, str)
    ]

    assert not named
    assert not re.search(r"\b(us|eu|ap|sa|ca|me|af|il|cn)-[a-z]+-\d\b", text)
    assert not re.search(r"\b\d{12}\b", text)
    assert "arn:aws:" not in text.replace("arn:aws:iam::aws:policy", "")


# --- storage


def test_tables_have_the_keys_and_indexes_of_the_seams(aws: "Assembly") -> None:
    shapes = {}
    for name, properties in aws.resources("AWS::DynamoDB::Table").items():
        indexes = {
            index["IndexName"]: [key["AttributeName"] for key in index["KeySchema"]]
            for index in properties.get("GlobalSecondaryIndexes", [])
        }
        shapes[re.sub(r"Storage|Table[0-9A-F]{8}", "", name)] = (
            [key["AttributeName"] for key in properties["KeySchema"]],
            indexes,
        )

    assert shapes == {
        "Jobs": (
            ["job_id"],
            {
                "owner-created_at": ["owner", "created_at"],
                "owner-task-created_at": ["owner", "task", "created_at"],
                "owner-status-created_at": ["owner", "status", "created_at"],
                "owner-endpoint-created_at": ["owner", "endpoint", "created_at"],
                "owner-task-status-created_at": ["owner", "task", "status", "created_at"],
                "owner-task-endpoint-created_at": ["owner", "task", "endpoint", "created_at"],
                "owner-status-endpoint-created_at": ["owner", "status", "endpoint", "created_at"],
                "owner-task-status-endpoint-created_at": ["owner", "task", "status", "endpoint", "created_at"],
                "open-created_at": ["open", "created_at"],
            },
        ),
        "Assets": (
            ["asset_id"],
            {
                "type-name": ["type", "name"],
                "listed-type_name": ["listed", "type_name"],
                "sha256-created_at": ["sha256", "created_at"],
                "working-created_at": ["working", "created_at"],
            },
        ),
        "Endpoints": (["endpoint"], {"listed-endpoint": ["listed", "endpoint"]}),
        "Access": (["access_id"], {"listing-place": ["listing", "place"]}),
    }


def test_tables_are_on_demand_encrypted_recoverable_and_expire_rows(aws: "Assembly") -> None:
    for properties in aws.resources("AWS::DynamoDB::Table").values():
        assert properties["BillingMode"] == "PAY_PER_REQUEST"
        assert properties["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"] is True
        assert properties["TimeToLiveSpecification"] == {"AttributeName": "expires_at", "Enabled": True}
        assert properties["SSESpecification"]["SSEEnabled"] is True


def test_a_heartbeat_is_not_copied_into_the_indexes_of_jobs(aws: "Assembly") -> None:
    indexes = aws.like("AWS::DynamoDB::Table", "JobsTable")["GlobalSecondaryIndexes"]

    assert {index["Projection"]["ProjectionType"] for index in indexes} == {"KEYS_ONLY"}


def test_buckets_are_private_encrypted_and_clean_up(aws: "Assembly") -> None:
    for properties in aws.resources("AWS::S3::Bucket").values():
        (encryption,) = properties["BucketEncryption"]["ServerSideEncryptionConfiguration"]
        (rule,) = properties["LifecycleConfiguration"]["Rules"]
        assert set(properties["PublicAccessBlockConfiguration"].values()) == {True}
        assert len(properties["PublicAccessBlockConfiguration"]) == 4
        assert encryption["ServerSideEncryptionByDefault"]["SSEAlgorithm"] == "AES256"
        assert rule["AbortIncompleteMultipartUpload"] == {"DaysAfterInitiation": 7}


def test_deleted_models_can_be_brought_back_where_the_stage_wants_it(aws: "Assembly", changed: "Assembly") -> None:
    def kept(assembly: "Assembly", part: str) -> tuple[object, object]:
        bucket = assembly.like("AWS::S3::Bucket", part)
        (rule,) = bucket["LifecycleConfiguration"]["Rules"]
        return bucket.get("VersioningConfiguration"), rule["NoncurrentVersionExpiration"]["NoncurrentDays"]

    assert [kept(aws, "AssetsBucket"), kept(changed, "AssetsBucket")] == [(None, 1), ({"Status": "Enabled"}, 14)]
    assert kept(changed, "JobsBucket") == (None, 1)
    assert "s3:DeleteObjectVersion" not in json.dumps(changed.resources("AWS::IAM::Policy"))
    assert not re.search(r"s3:(\*|Delete\*|DeleteObject\*)", json.dumps(changed.resources("AWS::IAM::Policy")))


def test_jobs_expire_and_assets_stay(aws: "Assembly") -> None:
    jobs, assets = (
        aws.like("AWS::S3::Bucket", part)["LifecycleConfiguration"]["Rules"][0]
        for part in ("JobsBucket", "AssetsBucket")
    )

    assert jobs["ExpirationInDays"] == 30
    assert "ExpirationInDays" not in assets


def test_a_browser_may_put_and_get_by_presigned_url(aws: "Assembly") -> None:
    for properties in aws.resources("AWS::S3::Bucket").values():
        (rule,) = properties["CorsConfiguration"]["CorsRules"]
        assert {"PUT", "GET"} <= set(rule["AllowedMethods"])
        assert {"ETag", "x-amz-checksum-sha256", "x-amz-checksum-type"} <= set(rule["ExposedHeaders"])


@pytest.mark.parametrize(
    ("kind", "owners"),
    [("AWS::S3::BucketPolicy", 2), ("AWS::SQS::QueuePolicy", 3), ("AWS::SNS::TopicPolicy", 3)],
)
def test_only_tls_is_accepted(aws: "Assembly", kind: str, owners: int) -> None:
    policies = aws.resources(kind)

    assert len(policies) == owners
    for properties in policies.values():
        denials = [s for s in properties["PolicyDocument"]["Statement"] if s["Effect"] == "Deny"]
        assert any(s["Condition"] == {"Bool": {"aws:SecureTransport": "false"}} for s in denials)


def test_data_outlives_the_stack_and_its_own_replacement_unless_told_otherwise(
    aws: "Assembly", changed: "Assembly"
) -> None:
    kinds = {"AWS::S3::Bucket", "AWS::DynamoDB::Table"}
    policies = [
        {
            (resource["DeletionPolicy"], resource["UpdateReplacePolicy"])
            for resource in each.template["Resources"].values()
            if resource["Type"] in kinds
        }
        for each in (aws, changed)
    ]

    # A first deployment that rolls back leaves nothing: there is no data yet.
    assert policies == [{("RetainExceptOnCreate", "Retain")}, {("Delete", "Delete")}]


# --- functions


@pytest.mark.parametrize("handler", SETTINGS)
def test_a_function_gets_the_settings_it_reads(aws: "Assembly", handler: str) -> None:
    variables = functions(aws)[handler]["Environment"]["Variables"]

    readable = {name: value if isinstance(value, str) else "token" for name, value in variables.items()}
    settings = SETTINGS[handler].from_environment(readable)

    assert set(settings.environment()) == set(variables)


def test_functions_run_python_313_on_arm64_with_logs_that_end(aws: "Assembly") -> None:
    groups = aws.resources("AWS::Logs::LogGroup")

    assert {group["RetentionInDays"] for group in groups.values()} == {30}
    assert set(functions(aws)) == set(SETTINGS)
    for properties in functions(aws).values():
        assert properties["Runtime"] == "python3.13"
        assert properties["Architectures"] == ["arm64"]
        assert properties["LoggingConfig"]["LogGroup"]["Ref"] in groups


def test_only_the_import_may_go_on_by_invoking_itself(aws: "Assembly") -> None:
    loops = {name: function.get("RecursiveLoop") for name, function in functions(aws).items()}

    assert {name for name, allowed in loops.items() if allowed == "Allow"} == {"lambdas.functions.asset_import.handler"}


def test_the_api_function_ends_before_api_gateway_gives_up(aws: "Assembly") -> None:
    properties = functions(aws)["lambdas.api.handler.handler"]

    assert (properties["MemorySize"], properties["Timeout"]) == (512, 29)


def test_the_sweeper_runs_each_minute_and_is_done_before_the_next(aws: "Assembly") -> None:
    schedules = [rule.get("ScheduleExpression") for rule in aws.resources("AWS::Events::Rule").values()]

    assert "rate(1 minute)" in schedules
    assert functions(aws)["lambdas.functions.sweeper.handler"]["Timeout"] < 60


def test_only_the_listed_actions_have_a_star_for_resource(aws: "Assembly") -> None:
    starred = {
        action
        for _, statement in aws.statements()
        if "*" in as_list(statement["Resource"])
        for action in as_list(statement["Action"])
    }

    assert starred == STAR_ACTIONS


def test_no_action_is_a_wildcard_and_no_managed_policy_but_api_gateways(aws: "Assembly") -> None:
    actions = {action for _, statement in aws.statements() for action in as_list(statement["Action"])}
    managed = {
        name for name, properties in aws.resources("AWS::IAM::Role").items() if properties.get("ManagedPolicyArns")
    }

    assert not [action for action in actions if "*" in action]
    assert len(managed) == 1
    assert "CloudWatchRole" in managed.pop()


def test_nobody_scans_a_table(aws: "Assembly") -> None:
    actions = {action for _, statement in aws.statements() for action in as_list(statement["Action"])}

    assert "dynamodb:Scan" not in actions


def test_every_index_may_be_queried_by_who_reads_it(aws: "Assembly") -> None:
    queried = {
        part: {
            re.findall(r"/index/([a-z0-9_-]+)", resource)[0] for resource in statements_of(aws, part)["dynamodb:Query"]
        }
        for part in ("FunctionsApi", "FunctionsSweeper", "FunctionsAssetInspection")
    }
    indexes = {
        index["IndexName"]
        for table in aws.resources("AWS::DynamoDB::Table").values()
        for index in table.get("GlobalSecondaryIndexes", [])
    }

    assert queried == {
        "FunctionsApi": indexes - {"working-created_at"},
        "FunctionsSweeper": {"open-created_at"},
        "FunctionsAssetInspection": {"working-created_at"},
    }


def test_only_the_api_and_first_key_make_users_and_only_first_key_reads_the_admin_key(aws: "Assembly") -> None:
    users = {
        name
        for name, statement in aws.statements()
        if any(action.startswith("ssm:") for action in as_list(statement["Action"]))
    }
    (access_table,) = [name for name in aws.resources("AWS::DynamoDB::Table") if "AccessTable" in name]
    access_actions = {
        name: {a for a, resources in statements_of(aws, name).items() if any(access_table in r for r in resources)}
        for name in aws.resources("AWS::IAM::Policy")
    }

    assert len(users) == 1
    assert "FirstKey" in users.pop()
    assert {re.sub("Role.*", "", name): actions for name, actions in access_actions.items() if actions} == {
        "FunctionsApi": {
            "dynamodb:BatchGetItem",
            "dynamodb:ConditionCheckItem",
            "dynamodb:DeleteItem",
            "dynamodb:GetItem",
            "dynamodb:PutItem",
            "dynamodb:Query",
            "dynamodb:UpdateItem",
        },
        "FunctionsAssetImport": {"dynamodb:UpdateItem"},
        "FunctionsAssetInspection": {"dynamodb:UpdateItem"},
        "FunctionsEndpointKeeper": {"dynamodb:BatchGetItem"},
        "FunctionsFirstKey": {"dynamodb:PutItem", "dynamodb:UpdateItem"},
        "FunctionsJobEvents": {"dynamodb:UpdateItem"},
        "FunctionsSweeper": {"dynamodb:UpdateItem"},
        "FunctionsWebhooks": {"dynamodb:GetItem"},
    }


def test_the_container_may_only_read_assets_and_write_its_jobs(aws: "Assembly") -> None:
    granted = statements_of(aws, "ContainerRole")

    assert {action for action in granted if action.startswith(("s3:", "dynamodb:", "sns:"))} == {
        "s3:GetObject",
        "s3:PutObject",
        "s3:ListBucket",
        "dynamodb:GetItem",
        "dynamodb:UpdateItem",
        "sns:Publish",
    }
    assert not [resource for resource in granted["s3:PutObject"] if "AssetsBucket" in resource]
    assert len(granted["sns:Publish"]) == 2
    held = conditions_of(aws, "ContainerRole", "dynamodb:UpdateItem")
    assert held == conditions_of(aws, "ContainerRole", "dynamodb:GetItem")
    assert held == [
        {
            "ForAllValues:StringEquals": {"dynamodb:Attributes": list(WORKER_ATTRIBUTES)},
            "StringEqualsIfExists": {
                "dynamodb:ReturnValues": ["NONE", "UPDATED_NEW", "UPDATED_OLD"],
                "dynamodb:Select": "SPECIFIC_ATTRIBUTES",
            },
        }
    ]


@pytest.mark.parametrize(
    ("role", "action", "keys"),
    [
        ("FunctionsAssetImport", "dynamodb:UpdateItem", ["load#*"]),
        ("FunctionsAssetInspection", "dynamodb:UpdateItem", ["load#*"]),
        ("FunctionsJobEvents", "dynamodb:UpdateItem", ["load#*", "usage#*", "endpoint_load#*"]),
        ("FunctionsSweeper", "dynamodb:UpdateItem", ["load#*", "usage#*", "endpoint_load#*"]),
        ("FunctionsWebhooks", "dynamodb:GetItem", ["user#*"]),
    ],
)
def test_only_the_api_may_touch_keys_users_and_roles(aws: "Assembly", role: str, action: str, keys: list[str]) -> None:
    conditions = conditions_of(aws, role, action, table="AccessTable")

    assert conditions == [{"ForAllValues:StringLike": {"dynamodb:LeadingKeys": keys}}]


# --- events


def test_both_topics_start_job_events_with_retries_and_dead_letters(aws: "Assembly") -> None:
    output = aws.only("AWS::SageMaker::EndpointConfig")["AsyncInferenceConfig"]["OutputConfig"]
    notification = output["NotificationConfig"]
    subscriptions = list(aws.resources("AWS::SNS::Subscription").values())
    (function,) = [name for name in aws.resources("AWS::Lambda::Function") if "JobEvents" in name]
    (dead_letters,) = [name for name in aws.resources("AWS::SQS::Queue") if "EventsDeadLetters" in name]
    invocation = aws.only("AWS::Lambda::EventInvokeConfig")
    arn = {"Fn::GetAtt": [dead_letters, "Arn"]}

    assert {each["TopicArn"]["Ref"] for each in subscriptions} == {
        notification["SuccessTopic"]["Ref"], notification["ErrorTopic"]["Ref"],
    }  # fmt: skip
    assert {each["Protocol"] for each in subscriptions} == {"lambda"}
    assert all(each["Endpoint"] == {"Fn::GetAtt": [function, "Arn"]} for each in subscriptions)
    assert all(each["RedrivePolicy"] == {"deadLetterTargetArn": arn} for each in subscriptions)
    assert (invocation["FunctionName"], invocation["MaximumRetryAttempts"]) == ({"Ref": function}, 2)
    assert invocation["DestinationConfig"]["OnFailure"]["Destination"] == arn
    assert not sources_of(aws, "FunctionsJobEvents")


def sources_of(assembly: "Assembly", function: str) -> list[dict[str, Any]]:
    """The event sources of the function whose logical id begins so."""
    mappings = assembly.resources("AWS::Lambda::EventSourceMapping").values()
    return [mapping for mapping in mappings if mapping["FunctionName"]["Ref"].startswith(function)]


def test_ended_jobs_reach_webhooks_through_a_queue_with_dead_letters(aws: "Assembly") -> None:
    (source,) = sources_of(aws, "FunctionsWebhooks")
    queues = aws.resources("AWS::SQS::Queue")
    queue = queues[source["EventSourceArn"]["Fn::GetAtt"][0]]

    assert (source["BatchSize"], source["FunctionResponseTypes"]) == (1, ["ReportBatchItemFailures"])
    assert queue["RedrivePolicy"]["maxReceiveCount"] == MAX_ATTEMPTS
    assert queue["MessageRetentionPeriod"] > sum(BACK_OFF_SECONDS)
    assert queue["VisibilityTimeout"] >= 6 * functions(aws)["lambdas.functions.webhooks.handler"]["Timeout"]
    for ending in ("FunctionsApi", "FunctionsJobEvents", "FunctionsSweeper"):
        sending = statements_of(aws, ending)["sqs:SendMessage"]
        assert [each for each in sending if "EventsDeadLetters" not in each] == [json.dumps(source["EventSourceArn"])]


def test_a_long_queue_takes_two_of_the_accounts_executions_at_most(aws: "Assembly") -> None:
    mappings = aws.resources("AWS::Lambda::EventSourceMapping").values()

    assert mappings
    assert [mapping["ScalingConfig"] for mapping in mappings] == [{"MaximumConcurrency": 2}] * len(mappings)


def test_queues_and_topics_are_encrypted(aws: "Assembly") -> None:
    assert all(queue["SqsManagedSseEnabled"] is True for queue in aws.resources("AWS::SQS::Queue").values())
    topics = {name: json.dumps(topic) for name, topic in aws.resources("AWS::SNS::Topic").items()}
    assert [name for name, text in topics.items() if "alias/aws/sns" not in text and "Alarms" not in name] == []


# --- endpoint


def test_the_endpoint_is_asynchronous_with_one_job_per_instance(aws: "Assembly") -> None:
    config = aws.only("AWS::SageMaker::EndpointConfig")
    (variant,) = config["ProductionVariants"]
    output = config["AsyncInferenceConfig"]["OutputConfig"]

    assert config["AsyncInferenceConfig"]["ClientConfig"]["MaxConcurrentInvocationsPerInstance"] == 1
    assert json.dumps(output["S3OutputPath"]).endswith('"/endpoint-output"]]}')
    assert json.dumps(output["S3FailurePath"]).endswith('"/endpoint-failure"]]}')
    assert variant["InstanceType"] == "ml.g5.xlarge"
    assert variant["InitialInstanceCount"] == 1


def test_every_gpu_of_an_instance_has_a_worker_and_a_job(changed: "Assembly") -> None:
    client = changed.only("AWS::SageMaker::EndpointConfig")["AsyncInferenceConfig"]["ClientConfig"]
    variables = changed.only("AWS::SageMaker::Model")["PrimaryContainer"]["Environment"]

    assert client["MaxConcurrentInvocationsPerInstance"] == 4
    assert variables["WORKERS"] == "4"


def test_the_container_gets_the_settings_it_reads(aws: "Assembly") -> None:
    variables = aws.only("AWS::SageMaker::Model")["PrimaryContainer"]["Environment"]

    settings = ContainerSettings.from_environment({**dict.fromkeys(variables, "token"), "GPU_PRICE_PER_HOUR": "1.5"})

    assert set(settings.environment()) == set(variables)


def test_the_container_preloads_the_checkpoint_the_stage_names(aws: "Assembly", changed: "Assembly") -> None:
    asked = [
        each.only("AWS::SageMaker::Model")["PrimaryContainer"]["Environment"].get("PRELOAD") for each in (aws, changed)
    ]

    assert asked == [None, "assets/01890a5d-ac96-774b-bcce-b302099a8057/dream.safetensors"]


def test_compiling_is_asked_of_the_container_when_the_stage_does(aws: "Assembly", changed: "Assembly") -> None:
    asked = [
        each.only("AWS::SageMaker::Model")["PrimaryContainer"]["Environment"].get("COMPILE_UNET")
        for each in (aws, changed)
    ]

    assert asked == [None, "True"]


def test_the_endpoint_wakes_on_backlog_grows_and_sleeps_after_the_idle_minutes(
    aws: "Assembly", changed: "Assembly"
) -> None:
    def steps(assembly: "Assembly") -> dict[str, tuple[object, ...]]:
        policies = assembly.resources("AWS::ApplicationAutoScaling::ScalingPolicy")
        found: dict[str, tuple[object, ...]] = {}
        for alarm in assembly.resources("AWS::CloudWatch::Alarm").values():
            if alarm["AlarmActions"][0]["Ref"] not in policies:
                continue
            policy = policies[alarm["AlarmActions"][0]["Ref"]]
            step = policy["StepScalingPolicyConfiguration"]
            (adjustment,) = step["StepAdjustments"]
            found[policy["PolicyName"]] = (
                alarm["MetricName"],
                alarm["ComparisonOperator"].partition("Than")[0],
                alarm["Threshold"],
                alarm["Period"] * alarm["EvaluationPeriods"],
                step["AdjustmentType"],
                adjustment["ScalingAdjustment"],
            )
            assert alarm["Statistic"] == step["MetricAggregationType"]
        return found

    target, other_target = (each.only("AWS::ApplicationAutoScaling::ScalableTarget") for each in (aws, changed))

    assert steps(aws) == {
        "WakeUp": ("HasBacklogWithoutCapacity", "Greater", 1, 60, "ChangeInCapacity", 1),
        "Sleep": ("ApproximateBacklogSize", "Less", 1, 300, "ExactCapacity", 0),
    }
    # With one instance at most there is nothing to grow to.
    assert steps(changed)["Grow"] == ("ApproximateBacklogSizePerInstance", "Greater", 5, 60, "ChangeInCapacity", 1)
    assert steps(changed)["Sleep"][3:] == (720, "ExactCapacity", 1)
    assert (target["MinCapacity"], target["MaxCapacity"]) == (0, 1)
    assert (other_target["MinCapacity"], other_target["MaxCapacity"]) == (1, 4)


def test_functions_touch_endpoints_of_their_stage_only(aws: "Assembly", changed: "Assembly") -> None:
    writing = {
        "cloudwatch:DeleteAlarms",
        "cloudwatch:PutMetricAlarm",
        "logs:DeleteLogGroup",
        "sagemaker:AddTags",
        "sagemaker:CreateEndpoint",
        "sagemaker:CreateEndpointConfig",
        "sagemaker:CreateModel",
        "sagemaker:DeleteEndpoint",
        "sagemaker:DeleteEndpointConfig",
        "sagemaker:DeleteModel",
        "sagemaker:DescribeEndpoint",
        "sagemaker:InvokeEndpointAsync",
    }

    for assembly, prefix in ((aws, "goc-main-*"), (changed, "goc-dev-*")):
        granted = statements_of(assembly, "Functions")
        assert writing <= granted.keys()
        assert {action for action in writing for each in granted[action] if prefix not in each} == set()


def test_the_api_makes_endpoints_and_the_keeper_removes_them(aws: "Assembly") -> None:
    makes, removes = (statements_of(aws, part) for part in ("FunctionsApi", "FunctionsEndpointKeeper"))

    assert "sagemaker:CreateEndpoint" in makes
    assert not [action for action in makes if action.startswith("sagemaker:Delete")]
    assert not [action for action in removes if action.startswith(("sagemaker:Create", "iam:"))]


def test_only_the_containers_role_is_passed_and_only_to_sagemaker(aws: "Assembly") -> None:
    (statement,) = [each for _, each in aws.statements() if each["Action"] == "iam:PassRole"]
    scaling = [each for _, each in aws.statements() if "application-autoscaling" in json.dumps(each["Action"])]

    assert statement["Resource"]["Fn::GetAtt"][0].startswith("ContainerRole")
    assert statement["Condition"] == {"StringEquals": {"iam:PassedToService": "sagemaker.amazonaws.com"}}
    assert [each["Condition"] for each in scaling] == [
        {"StringEquals": {"application-autoscaling:service-namespace": "sagemaker"}}
    ]


def test_endpoints_are_looked_after_at_each_change_and_each_minute(aws: "Assembly") -> None:
    rules = [
        rule
        for rule in aws.resources("AWS::Events::Rule").values()
        if any("EndpointKeeper" in json.dumps(target["Arn"]) for target in rule["Targets"])
    ]

    assert {rule.get("ScheduleExpression") for rule in rules} == {None, "rate(1 minute)"}
    (pattern,) = [rule["EventPattern"] for rule in rules if "EventPattern" in rule]
    assert pattern["source"] == ["aws.sagemaker"]
    assert pattern["detail"] == {"EndpointName": [{"prefix": "goc-main-"}]}


def test_alarms_and_scaling_are_about_the_one_endpoint(aws: "Assembly") -> None:
    (endpoint,) = aws.resources("AWS::SageMaker::Endpoint")
    name = {"Fn::GetAtt": [endpoint, "EndpointName"]}
    dimensions = [
        alarm["Dimensions"]
        for alarm in aws.resources("AWS::CloudWatch::Alarm").values()
        if "docs/runbook.md" not in alarm["AlarmDescription"]
    ]

    assert len(dimensions) == 2
    assert all([{"Name": "EndpointName", "Value": name}] == each for each in dimensions)
    assert json.dumps(name) in json.dumps(aws.only("AWS::ApplicationAutoScaling::ScalableTarget")["ResourceId"])


def test_another_instance_type_is_another_variant_with_a_scalable_target_of_its_own(
    aws: "Assembly", changed: "Assembly"
) -> None:
    """SageMaker refuses to change the type of a variant that is registered."""
    for assembly, variant in ((aws, "g5-xlarge"), (changed, "g6-12xlarge")):
        (production,) = assembly.only("AWS::SageMaker::EndpointConfig")["ProductionVariants"]
        resource = json.dumps(assembly.only("AWS::ApplicationAutoScaling::ScalableTarget")["ResourceId"])
        assert production["VariantName"] == variant
        assert f"/variant/{variant}" in resource


# --- api


def test_every_path_and_method_goes_to_the_api_function_without_gateway_keys(aws: "Assembly") -> None:
    methods = [m for m in aws.resources("AWS::ApiGateway::Method").values() if m["HttpMethod"] == "ANY"]
    resources = aws.resources("AWS::ApiGateway::Resource").values()

    assert sorted(resource["PathPart"] for resource in resources) == ["console", "{proxy+}", "{proxy+}"]
    assert len(methods) == 2
    assert all("ApiFunction" in json.dumps(method["Integration"]["Uri"]) for method in methods)
    assert not any(method.get("ApiKeyRequired") for method in methods)


def test_reading_the_consoles_paths_goes_to_its_function_and_nothing_else_does(aws: "Assembly") -> None:
    methods = [
        m for m in aws.resources("AWS::ApiGateway::Method").values() if m["HttpMethod"] not in {"ANY", "OPTIONS"}
    ]
    under = {json.dumps(method["ResourceId"]) for method in methods}

    assert {method["HttpMethod"] for method in methods} == {"GET"}
    assert all("ConsoleFunction" in json.dumps(method["Integration"]["Uri"]) for method in methods)
    assert len(methods) == len(under) == 2
    assert any("RootResourceId" in resource for resource in under)
    assert any("consoleproxy" in resource for resource in under)


def test_the_console_may_do_nothing_but_write_its_log(aws: "Assembly") -> None:
    assert set(statements_of(aws, "ConsoleRole")) == {"logs:CreateLogStream", "logs:PutLogEvents"}


def test_programs_that_speak_webuis_api_reach_its_function_only_with_the_option(
    aws: "Assembly", changed: "Assembly"
) -> None:
    resources = changed.resources("AWS::ApiGateway::Resource")
    methods = changed.resources("AWS::ApiGateway::Method").values()
    theirs = [method for method in methods if "SdapiFunction" in json.dumps(method["Integration"].get("Uri", ""))]

    def path(resource: dict[str, Any]) -> str:
        above = resources.get(resource["ParentId"].get("Ref", ""))
        return f"{path(above)}/{resource['PathPart']}" if above else str(resource["PathPart"])

    paths = sorted(path(resources[method["ResourceId"]["Ref"]]) for method in theirs)
    assert paths == ["controlnet/{proxy+}", "internal/{proxy+}", "login_check", "sdapi/{proxy+}"]
    assert {method["HttpMethod"] for method in theirs} == {"ANY"}
    assert "Sdapi" not in json.dumps(aws.template)


def test_the_function_of_webuis_api_may_call_the_apis_function_and_nothing_else(changed: "Assembly") -> None:
    allowed = statements_of(changed, "SdapiRole")

    assert set(allowed) == {"lambda:InvokeFunction", "logs:CreateLogStream", "logs:PutLogEvents"}
    (target,) = allowed["lambda:InvokeFunction"]
    assert "ApiFunction" in target
    settings = functions(changed)["lambdas.sdapi.handler.handler"]["Environment"]["Variables"]
    assert set(settings) == set(SdapiSettings.model_fields)
    assert "ApiFunction" in json.dumps(settings["API_FUNCTION"])


def test_the_stage_is_prod_throttled_and_logged(aws: "Assembly") -> None:
    stage = aws.only("AWS::ApiGateway::Stage")
    (settings,) = stage["MethodSettings"]

    assert stage["StageName"] == "prod"
    assert (settings["ThrottlingRateLimit"], settings["ThrottlingBurstLimit"]) == (50, 100)
    assert settings["DataTraceEnabled"] is False
    assert "AccessLog" in json.dumps(stage["AccessLogSetting"]["DestinationArn"])


def test_what_api_gateway_logs_itself_ends_and_goes_with_the_stack(aws: "Assembly") -> None:
    resources = aws.template["Resources"]
    (name,) = [name for name, value in aws.resources("AWS::Logs::LogGroup").items() if "LogGroupName" in value]
    (api,) = aws.resources("AWS::ApiGateway::RestApi")
    (stage,) = [value for value in resources.values() if value["Type"] == "AWS::ApiGateway::Stage"]

    properties = resources[name]["Properties"]

    assert properties["LogGroupName"] == {"Fn::Join": ["", ["API-Gateway-Execution-Logs_", {"Ref": api}, "/prod"]]}
    assert properties["RetentionInDays"] == 30
    assert resources[name]["DeletionPolicy"] == "Delete"
    assert name in stage["DependsOn"], "API Gateway would make it first"


def test_what_api_gateway_answers_itself_is_problem_json(aws: "Assembly") -> None:
    answers = aws.resources("AWS::ApiGateway::GatewayResponse").values()
    codes = {}
    for answer in answers:
        problem = json.loads(answer["ResponseTemplates"]["application/json"])
        assert str(problem["status"]) == answer["StatusCode"]
        assert "problem+json" in answer["ResponseParameters"]["gatewayresponse.header.Content-Type"]
        codes[answer["ResponseType"]] = problem["code"]
        retry = answer["ResponseParameters"].get("gatewayresponse.header.Retry-After")
        assert (retry is not None) == (problem["code"] == "too_many_requests")
        assert (
            answer["ResponseParameters"].items()
            >= {f"gatewayresponse.header.{name}": f"'{value}'" for name, value in ANSWER_HEADERS.items()}.items()
        )

    # A function for which the account has no execution left is a failed integration.
    assert codes["THROTTLED"] == codes["INTEGRATION_FAILURE"] == "too_many_requests"
    assert codes["REQUEST_TOO_LARGE"] == "body_too_large"
    assert codes["WAF_FILTERED"] == codes["DEFAULT_4XX"] == "forbidden"
    assert codes["DEFAULT_5XX"] == "internal"


def test_a_browser_may_send_every_header_of_the_api(aws: "Assembly") -> None:
    preflights = [m for m in aws.resources("AWS::ApiGateway::Method").values() if m["HttpMethod"] == "OPTIONS"]

    assert preflights
    for method in preflights:
        ((answer,), prefix) = (method["Integration"]["IntegrationResponses"], "method.response.header.Access-Control")
        assert answer["ResponseParameters"][f"{prefix}-Allow-Origin"] == "'*'"
        assert answer["ResponseParameters"][f"{prefix}-Allow-Headers"] == f"'{','.join(REQUEST_HEADERS)}'"
        assert answer["ResponseParameters"][f"{prefix}-Allow-Methods"] == f"'{','.join(METHODS)}'"


# --- stages


def test_the_price_of_an_hour_is_that_of_the_instance_type_unless_told(aws: "Assembly") -> None:
    variables = functions(aws)["lambdas.api.handler.handler"]["Environment"]["Variables"]

    assert float(variables["GPU_PRICE_PER_HOUR"]) == HOUR_USD["ml.g5.xlarge"]


def test_the_container_tells_costs_by_the_price_of_one_gpu_and_none_where_it_is_not_known(
    aws: "Assembly", changed: "Assembly"
) -> None:
    known, unknown = (each.only("AWS::SageMaker::Model")["PrimaryContainer"]["Environment"] for each in (aws, changed))

    assert float(known["GPU_PRICE_PER_HOUR"]) == HOUR_USD["ml.g5.xlarge"]
    assert "GPU_PRICE_PER_HOUR" not in unknown


def test_a_stage_changes_its_numbers_and_its_stack_name(changed: "Assembly") -> None:
    (variant,) = changed.only("AWS::SageMaker::EndpointConfig")["ProductionVariants"]
    target = changed.only("AWS::ApplicationAutoScaling::ScalableTarget")
    (settings,) = changed.only("AWS::ApiGateway::Stage")["MethodSettings"]
    rule = changed.like("AWS::S3::Bucket", "JobsBucket")["LifecycleConfiguration"]["Rules"][0]
    variables = functions(changed)["lambdas.api.handler.handler"]["Environment"]["Variables"]

    assert changed.stack_names == ["GenerateOnCloud-dev", "GenerateOnCloud-dev-Inference", "GenerateOnCloud-dev-Ops"]
    assert changed.only("AWS::SageMaker::Endpoint")["EndpointName"] == "goc-dev-default"
    assert variables["ENDPOINT_NAME"] == "goc-dev-default"
    assert variant["InstanceType"] == "ml.g6.12xlarge"
    assert (target["MinCapacity"], target["MaxCapacity"]) == (1, 4)
    assert (settings["ThrottlingRateLimit"], settings["ThrottlingBurstLimit"]) == (7, 9)
    assert rule["ExpirationInDays"] == 3
    assert variables["JOB_RETENTION_DAYS"] == "3"
    assert variables["DELETED_MODELS_DAYS"] == "14"
    assert {group["RetentionInDays"] for group in changed.resources("AWS::Logs::LogGroup").values()} == {7}


def test_a_ready_image_is_used_and_may_be_pulled(changed: "Assembly") -> None:
    image = changed.only("AWS::SageMaker::Model")["PrimaryContainer"]["Image"]
    pulled = statements_of(changed, "EndpointPull")["ecr:BatchGetImage"]

    assert image == "123456789012.dkr.ecr.eu-west-1.amazonaws.com/team/goc:1.0"
    assert [json.loads(resource)["Fn::Join"][1][-1] for resource in pulled] == [
        ":ecr:eu-west-1:123456789012:repository/team/goc"
    ]
    assert not changed.assets.get("dockerImages")


# --- checks by others


def test_cdk_nag_ran_and_accepted_findings_have_reasons(aws: "Assembly") -> None:
    reports = {report["pluginName"]: report for report in aws.json_file("validation-report.json")["pluginReports"]}
    accepted = reports["AwsSolutions"]["suppressedViolations"]

    assert reports["AwsSolutions"]["conclusion"] == "success"
    assert reports["AwsSolutions"]["violations"] == []
    assert accepted
    assert all(len(finding["reason"].split()) >= 5 and "\n" not in finding["reason"] for finding in accepted)


def test_every_scaling_policy_waits_as_long_as_its_step_says(changed: "Assembly") -> None:
    cooldowns = {
        policy["PolicyName"]: policy["StepScalingPolicyConfiguration"]["Cooldown"]
        for policy in changed.resources("AWS::ApplicationAutoScaling::ScalingPolicy").values()
    }

    assert cooldowns == {"WakeUp": 900, "Grow": 60, "Sleep": 720}
