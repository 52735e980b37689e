"""Endpoints through the API: made, listed, changed, used and deleted with everything that belongs to them."""

from datetime import timedelta
from typing import Any, cast

import pytest

from generate_on_cloud.contract.endpoints import EndpointStatus
from generate_on_cloud.contract.instances import HOUR_USD
from generate_on_cloud.contract.jobs import JobStatus
from lambdas.access.caller import key_row_id
from lambdas.aws.rows import to_item
from tests.lambdas.cloud import aws_error, txt2img
from tests.lambdas.fleet import FAST, NAME, Fleet

IMAGE = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/goc:2"


def test_a_new_endpoint_is_made_after_the_templates_with_its_own_instances_and_image(fleet: Fleet) -> None:
    made = fleet.create(instance_type="ml.g4dn.12xlarge", image=IMAGE)

    client = fleet.sagemaker.client
    config = client.describe_endpoint_config(EndpointConfigName=NAME)
    (variant,) = config["ProductionVariants"]
    model = client.describe_model(ModelName=NAME)
    assert (made["name"], made["status"], made["managed_by"], made["owner"]) == (NAME, "Creating", "api", "root")
    assert (variant["ModelName"], variant["InstanceType"], variant["VariantName"]) == (NAME, "ml.g4dn.12xlarge", "main")
    assert variant["ContainerStartupHealthCheckTimeoutInSeconds"] == 1800
    assert config["AsyncInferenceConfig"]["OutputConfig"]["KmsKeyId"] == "the-key"
    assert config["AsyncInferenceConfig"]["OutputConfig"]["S3OutputPath"] == "s3://jobs-bucket/endpoint-output"
    assert config["AsyncInferenceConfig"]["ClientConfig"]["MaxConcurrentInvocationsPerInstance"] == 4
    assert model["PrimaryContainer"]["Image"] == IMAGE
    assert model["PrimaryContainer"]["Environment"] == {
        "JOBS_BUCKET": "jobs-bucket",
        "WORKERS": "4",
        "GPU_PRICE_PER_HOUR": "0.0",
    }
    assert model["ExecutionRoleArn"].endswith("role/container")


@pytest.mark.parametrize(
    ("instance_type", "price"),
    [
        pytest.param("ml.g4dn.2xlarge", 0.5, id="the-template's-type-has-the-price-the-template-was-told"),
        pytest.param("ml.g4dn.xlarge", HOUR_USD["ml.g4dn.xlarge"], id="another-has-that-of-the-table"),
        pytest.param("ml.g4dn.16xlarge", 0.0, id="one-the-table-lacks-has-none"),
    ],
)
def test_containers_of_a_new_endpoint_know_the_price_of_their_own_instance_type(
    fleet: Fleet, instance_type: str, price: float
) -> None:
    fleet.create(instance_type=instance_type)

    environment = fleet.sagemaker.client.describe_model(ModelName=NAME)["PrimaryContainer"]["Environment"]
    assert float(environment["GPU_PRICE_PER_HOUR"]) == price


def test_no_endpoint_has_its_volumes_encrypted_with_the_stages_key_which_sagemaker_refuses(fleet: Fleet) -> None:
    fleet.create()

    assert "KmsKeyId" not in fleet.sagemaker.client.describe_endpoint_config(EndpointConfigName=NAME)


def test_an_instance_type_whose_gpus_are_too_old_is_refused_with_the_reason(fleet: Fleet) -> None:
    reply = fleet.cloud.ask("POST", "/v1/endpoints", FAST | {"instance_type": "ml.p3.2xlarge"}, user="root")

    assert reply.status == 422
    assert "CUDA 13, which has dropped Volta GPUs" in reply.json["errors"][0]["message"]


def test_scaling_is_registered_once_the_endpoint_is_in_service(fleet: Fleet) -> None:
    fleet.create()
    fleet.sagemaker.statuses[NAME] = "Creating"
    fleet.keeper.keep_all()
    before = fleet.targets()

    fleet.sagemaker.statuses[NAME] = "InService"
    fleet.keeper.keep_all()
    fleet.keeper.keep_all()

    (target,) = fleet.targets()
    alarms = fleet.alarms()
    assert before == []
    assert (target["MinCapacity"], target["MaxCapacity"]) == (0, 3)
    assert set(alarms) == {f"{NAME}-WakeUp", f"{NAME}-Grow", f"{NAME}-Sleep"}
    assert alarms[f"{NAME}-Sleep"]["EvaluationPeriods"] == 7
    assert alarms[f"{NAME}-WakeUp"]["MetricName"] == "HasBacklogWithoutCapacity"
    assert all(len(alarm["AlarmActions"]) == 1 for alarm in alarms.values())


def test_the_list_has_the_templates_endpoint_and_those_made_here_with_their_open_jobs(fleet: Fleet) -> None:
    fleet.ready()
    fleet.cloud.job(endpoint=NAME)
    fleet.cloud.job(endpoint="artists", status=JobStatus.RUNNING)
    fleet.cloud.job(endpoint="artists")

    listed = fleet.cloud.ask("GET", "/v1/endpoints").ok()["endpoints"]

    assert [(each["name"], each["managed_by"], each["open_jobs"]) for each in listed] == [
        ("artists", "template", 2),
        (NAME, "api", 1),
    ]


def test_an_endpoint_in_service_without_instances_is_scaled_to_zero(fleet: Fleet) -> None:
    fleet.ready()
    fleet.store.observe(
        cast("Any", fleet.store.get(NAME)), status=EndpointStatus.IN_SERVICE, reason=None, instance_count=0
    )

    listed = fleet.cloud.ask("GET", "/v1/endpoints").ok()["endpoints"]

    assert listed[1]["status"] == "ScaledToZero"


def test_a_failed_endpoint_shows_sagemakers_reason(fleet: Fleet) -> None:
    fleet.create()
    fleet.sagemaker.statuses[NAME] = "Failed"
    fleet.sagemaker.reason = "Unable to provision requested ML compute capacity due to InsufficientInstanceCapacity"
    fleet.keeper.keep(NAME)

    shown = fleet.cloud.ask("GET", "/v1/endpoints/fast").ok()

    assert (shown["status"], shown["failure_reason"]) == ("Failed", fleet.sagemaker.reason)


def test_a_quota_of_the_account_is_named_and_nothing_stays(fleet: Fleet) -> None:
    quota = "The account-level service limit 'ml.g4dn.2xlarge for endpoint usage' is 0 Instances"
    fleet.sagemaker.refusals["create_endpoint"] = aws_error("ResourceLimitExceeded", quota)

    problem = fleet.cloud.ask("POST", "/v1/endpoints", FAST, user="root").problem(409, "aws_quota_exceeded")
    fleet.keeper.keep(NAME)

    assert problem["detail"] == quota
    assert fleet.names() == {"endpoints": ["artists"], "configs": ["Config-x"], "models": ["Model-x"]}
    assert fleet.store.get(NAME) is None


def test_what_was_made_before_any_other_refusal_goes_again(fleet: Fleet) -> None:
    fleet.sagemaker.refusals["create_endpoint"] = aws_error("AccessDeniedException")

    fleet.cloud.ask("POST", "/v1/endpoints", FAST, user="root").problem(500, "internal")
    fleet.keeper.keep(NAME)

    assert fleet.names() == {"endpoints": ["artists"], "configs": ["Config-x"], "models": ["Model-x"]}
    assert fleet.store.get(NAME) is None


def test_a_name_is_taken_until_nothing_of_the_endpoint_is_left(fleet: Fleet) -> None:
    fleet.create()

    for _ in range(2):
        fleet.cloud.ask("POST", "/v1/endpoints", FAST, user="root").problem(409, "name_taken")
        fleet.cloud.ask("DELETE", "/v1/endpoints/fast", user="root").ok(202)
    fleet.keeper.keep(NAME)

    fleet.create()


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"instance_type": "ml.m5.large"}, "/instance_type"),
        ({"name": "Fast_One"}, "/name"),
        ({"min_instances": 5}, ""),
        ({"image": "docker.io/goc"}, "/image"),
        ({"users": ["nobody"]}, "/users/0"),
        ({"roles": ["artist", "none"]}, "/roles/1"),
    ],
)
def test_a_wrong_field_is_named_and_nothing_is_made(fleet: Fleet, change: dict[str, Any], pointer: str) -> None:
    problem = fleet.cloud.ask("POST", "/v1/endpoints", {**FAST, **change}, user="root").problem(422, "invalid_params")

    assert [error["pointer"] for error in problem["errors"]] == [pointer]
    assert fleet.store.list() == []


def test_without_the_templates_endpoint_none_can_be_made(fleet: Fleet) -> None:
    fleet.sagemaker.client.delete_endpoint(EndpointName="artists")

    problem = fleet.cloud.ask("POST", "/v1/endpoints", FAST, user="root").problem(503, "endpoint_not_in_service")

    assert "deploy the inference stack" in problem["detail"]


def test_changed_scaling_reaches_aws(fleet: Fleet) -> None:
    fleet.ready()

    changed = fleet.cloud.ask("PATCH", "/v1/endpoints/fast", {"min_instances": 1, "idle_minutes": 9}, user="root").ok()
    fleet.keeper.keep(NAME)

    (target,) = fleet.targets()
    assert (changed["min_instances"], changed["max_instances"], changed["idle_minutes"]) == (1, 3, 9)
    assert (target["MinCapacity"], target["MaxCapacity"]) == (1, 3)
    assert fleet.alarms()[f"{NAME}-Sleep"]["EvaluationPeriods"] == 9
    assert fleet.cloud.functions.called[-1] == ("keeper", {"endpoint": NAME})


def test_limits_that_cross_are_refused(fleet: Fleet) -> None:
    fleet.ready()

    fleet.cloud.ask("PATCH", "/v1/endpoints/fast", {"min_instances": 4}, user="root").problem(422, "invalid_params")


def test_the_templates_endpoint_is_changed_in_the_template(fleet: Fleet) -> None:
    for method in ("PATCH", "DELETE"):
        body = {"max_instances": 2} if method == "PATCH" else None
        problem = fleet.cloud.ask(method, "/v1/endpoints/artists", body, user="root").problem(403, "forbidden")
        assert "belongs to the template" in problem["detail"]


def test_a_deleted_endpoint_leaves_nothing(fleet: Fleet) -> None:
    fleet.ready()
    fleet.logs.create_log_group(logGroupName=f"/aws/sagemaker/Endpoints/{NAME}")

    deleted = fleet.cloud.ask("DELETE", "/v1/endpoints/fast", user="root").ok(202)
    again = fleet.cloud.ask("DELETE", "/v1/endpoints/fast", user="root").ok(202)
    fleet.keeper.keep(NAME)
    fleet.keeper.keep(NAME)

    assert deleted["status"] == again["status"] == "Deleting"
    assert fleet.names() == {"endpoints": ["artists"], "configs": ["Config-x"], "models": ["Model-x"]}
    assert (fleet.targets(), fleet.alarms()) == ([], {})
    assert fleet.logs.describe_log_groups()["logGroups"] == []
    fleet.cloud.ask("GET", "/v1/endpoints/fast", user="root").problem(404, "not_found")


def test_a_deletion_that_sagemaker_refuses_is_tried_again(fleet: Fleet) -> None:
    fleet.ready()
    fleet.cloud.ask("DELETE", "/v1/endpoints/fast", user="root").ok(202)
    fleet.sagemaker.refusals["delete_endpoint"] = aws_error("ValidationException", "Cannot delete while Creating")
    fleet.keeper.keep(NAME)
    still = fleet.store.get(NAME)

    fleet.sagemaker.refusals.clear()
    fleet.keeper.keep(NAME)

    assert still is not None
    assert still.status is EndpointStatus.DELETING
    assert fleet.store.get(NAME) is None


def test_an_endpoint_with_jobs_is_deleted_by_force_only_and_its_jobs_are_canceled(fleet: Fleet) -> None:
    fleet.ready()
    waiting, elsewhere = fleet.cloud.job(endpoint=NAME), fleet.cloud.job(endpoint="artists")
    running = fleet.cloud.job(endpoint=NAME)
    fleet.cloud.run(running.job_id)

    problem = fleet.cloud.ask("DELETE", "/v1/endpoints/fast", user="root").problem(409, "endpoint_in_use")
    fleet.cloud.ask("DELETE", "/v1/endpoints/fast", user="root", query={"force": "true"}).ok(202)

    assert waiting.job_id in problem["detail"]
    assert fleet.cloud.status(waiting.job_id) == "canceled"
    assert fleet.cloud.row(running.job_id)["cancel_requested"] is True
    assert fleet.cloud.status(elsewhere.job_id) == "queued"


def test_an_endpoint_that_was_never_made_is_failed_after_some_minutes(fleet: Fleet) -> None:
    fleet.create()
    fleet.sagemaker.client.delete_endpoint(EndpointName=NAME)
    fleet.keeper.keep(NAME)
    fresh = fleet.cloud.ask("GET", "/v1/endpoints/fast").ok()["status"]

    fleet.cloud.clock.now += timedelta(minutes=6)
    fleet.keeper.keep(NAME)

    assert fresh == "Creating"
    assert fleet.cloud.ask("GET", "/v1/endpoints/fast").ok()["status"] == "Failed"


def test_a_job_goes_to_the_endpoint_it_names_with_or_without_the_prefix(fleet: Fleet) -> None:
    fleet.ready()
    fleet.cloud.checkpoint()

    for name in ("fast", NAME):
        sent = fleet.cloud.ask("POST", "/v1/jobs", {**txt2img(), "endpoint": name}).ok(201)
        assert sent["endpoint"] == NAME
    assert {each["endpoint"] for each in fleet.cloud.endpoint.invoked} == {NAME}


def test_an_endpoint_of_others_is_used_by_those_it_names_only(fleet: Fleet) -> None:
    fleet.create(users=["bob"])
    fleet.cloud.checkpoint()
    job = {**txt2img(), "endpoint": "fast"}

    problem = fleet.cloud.ask("POST", "/v1/jobs", job, user="alice").problem(422, "invalid_params")

    assert problem["errors"][0]["message"] == "received 'fast'; allowed: artists"
    for user in ("bob", "root"):
        fleet.cloud.ask("POST", "/v1/jobs", job, user=user).ok(201)


def test_no_job_goes_to_an_endpoint_that_is_being_deleted(fleet: Fleet) -> None:
    fleet.ready()
    fleet.cloud.checkpoint()
    fleet.cloud.ask("DELETE", "/v1/endpoints/fast", user="root").ok(202)

    fleet.cloud.ask("POST", "/v1/jobs", {**txt2img(), "endpoint": "fast"}).problem(503, "endpoint_not_in_service")


def test_an_endpoint_is_changed_by_who_made_it_or_may_change_all(fleet: Fleet) -> None:
    scope = {"access_id": "role#keeper", "permissions": ["endpoint:create"]}
    fleet.cloud.dynamodb.put_item(TableName="access", Item=to_item(scope))
    fleet.cloud.dynamodb.update_item(
        TableName="access",
        Key=to_item({"access_id": key_row_id("bob-key")}),
        UpdateExpression="SET #role = :role",
        ExpressionAttributeNames={"#role": "role"},
        ExpressionAttributeValues=to_item({":role": "keeper"}),
    )
    fleet.create()

    fleet.cloud.ask("PATCH", "/v1/endpoints/fast", {"idle_minutes": 3}, user="bob").problem(403, "forbidden")

    mine = fleet.cloud.ask("POST", "/v1/endpoints", {**FAST, "name": "bobs"}, user="bob").ok(201)
    fleet.cloud.ask("DELETE", f"/v1/endpoints/{mine['name']}", user="bob").ok(202)
    fleet.cloud.ask("PATCH", "/v1/endpoints/fast", {"idle_minutes": 3}, user="root").ok()


def test_the_list_costs_three_calls_whatever_there_is(fleet: Fleet) -> None:
    fleet.ready()
    fleet.cloud.job(endpoint=NAME)
    fleet.cloud.ask("GET", "/v1/endpoints").ok()
    fleet.cloud.counted()

    fleet.cloud.ask("GET", "/v1/endpoints").ok()

    # And DescribeEndpoint of the template's, which this SageMaker does not count.
    assert fleet.cloud.counted() == 2


def test_an_endpoint_that_is_reserved_for_others_is_not_there_for_the_rest(fleet: Fleet) -> None:
    cloud = fleet.cloud
    fleet.create(users=["bob"])
    admin = cloud.ask("POST", "/v1/keys", {"permissions": ["endpoint:list"]}, user="root").ok(201)["key"]

    def listed(**who: Any) -> list[str]:
        return [endpoint["name"] for endpoint in cloud.ask("GET", "/v1/endpoints", **who).ok()["endpoints"]]

    (reserved,) = set(listed(user="bob")) - set(listed(user="alice"))
    assert reserved in listed(user="root")
    assert cloud.ask("GET", f"/v1/endpoints/{reserved}", user="bob").ok()["users"] == ["bob"]
    cloud.ask("GET", f"/v1/endpoints/{reserved}", user="alice").problem(404, "not_found")
    # root made it: a limited key of the owner sees it, as its owner's jobs may use it
    assert reserved in listed(user=None, headers={"x-api-key": admin})
