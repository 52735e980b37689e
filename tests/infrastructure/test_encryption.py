"""The key of a stage: on all that holds data when one is asked for, on nothing otherwise, used by whoever must."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

# pytest puts no folder on the import path: the fixtures' type is only needed by the checker.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from tests.infrastructure.conftest import Assembly, Combination

HOLD_DATA: dict[str, tuple[str | int, ...]] = {
    "AWS::DynamoDB::Table": ("SSESpecification", "KMSMasterKeyId"),
    "AWS::Logs::LogGroup": ("KmsKeyId",),
    "AWS::S3::Bucket": (
        "BucketEncryption",
        "ServerSideEncryptionConfiguration",
        0,
        "ServerSideEncryptionByDefault",
        "KMSMasterKeyID",
    ),
    "AWS::SNS::Topic": ("KmsMasterKeyId",),
    "AWS::SQS::Queue": ("KmsMasterKeyId",),
    "AWS::SageMaker::EndpointConfig": ("AsyncInferenceConfig", "OutputConfig", "KmsKeyId"),
}
"""Where each type names its key."""

NEEDED = {
    "dynamodb:GetItem": {"kms:Decrypt"},
    "dynamodb:PutItem": {"kms:Decrypt", "kms:Encrypt", "kms:GenerateDataKey"},
    "dynamodb:Query": {"kms:Decrypt"},
    "dynamodb:UpdateItem": {"kms:Decrypt", "kms:Encrypt", "kms:GenerateDataKey"},
    "s3:GetObject": {"kms:Decrypt"},
    "s3:PutObject": {"kms:Decrypt", "kms:GenerateDataKey"},
    "ssm:GetParameter": {"kms:Decrypt"},
    "ssm:PutParameter": {"kms:Encrypt"},
    "sns:Publish": {"kms:Decrypt", "kms:GenerateDataKey"},
    "sqs:SendMessage": {"kms:Decrypt", "kms:GenerateDataKey"},
}
"""What the services' guides ask of a caller of theirs whose data is encrypted with a customer's key."""

NONE, NEW, GIVEN = range(3)
SECURITY = Path(__file__).resolve().parents[2] / "docs" / "security.md"


def as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def found_at(properties: Any, path: tuple[str | int, ...]) -> Any:
    """What is there, None when nothing is."""
    for step in path:
        if isinstance(properties, dict) and step not in properties:
            return None
        properties = properties[step]
    return properties


def key_of(row: "Combination") -> Any:
    """How the templates of a row name its key."""
    if row.choices["key"] == GIVEN:
        return row.context["kms_key"]
    (key,) = row.assembly.resources("AWS::KMS::Key")
    return {"Fn::GetAtt": [key, "Arn"]}


def keyed(combined: list["Combination"], *choices: int) -> list["Combination"]:
    rows = [row for row in combined if row.choices["key"] in choices]
    assert len(rows) >= 3
    return rows


def uses_by_service(assembly: "Assembly", policy: str) -> dict[str, set[str]]:
    """What a policy lets its role do with the key, by service it goes through."""
    uses: dict[str, set[str]] = {}
    for name, statement in assembly.statements():
        for action in as_list(statement["Action"]) if name == policy else ():
            if action.startswith("kms:"):
                through = statement.get("Condition", {}).get("StringLike", {}).get("kms:ViaService", "anything.")
                for service in as_list(through):
                    start = service if isinstance(service, str) else service["Fn::Join"][1][0]
                    uses.setdefault(start.partition(".")[0], set()).add(action)
    return uses


@pytest.mark.parametrize("kind", HOLD_DATA)
def test_everything_that_holds_data_is_encrypted_with_the_key_that_is_asked_for(
    combined: list["Combination"], kind: str
) -> None:
    for row in keyed(combined, NEW, GIVEN):
        named = [found_at(properties, HOLD_DATA[kind]) for properties in row.assembly.resources(kind).values()]
        assert named, kind
        assert named == [key_of(row)] * len(named)


def test_buckets_ask_for_a_key_of_their_own_in_place_of_one_for_every_object(combined: list["Combination"]) -> None:
    for row in keyed(combined, NEW, GIVEN):
        for properties in row.assembly.resources("AWS::S3::Bucket").values():
            (rule,) = properties["BucketEncryption"]["ServerSideEncryptionConfiguration"]
            assert rule["ServerSideEncryptionByDefault"]["SSEAlgorithm"] == "aws:kms"
            assert rule["BucketKeyEnabled"] is True


def test_no_key_is_made_named_or_granted_unless_one_is_asked_for(combined: list["Combination"]) -> None:
    for row in keyed(combined, NONE):
        named = {
            json.dumps(found_at(properties, path))
            for kind, path in HOLD_DATA.items()
            for properties in row.assembly.resources(kind).values()
        } - {"null"}
        assert [":alias/aws/sns" in name for name in named] == [True]
        assert not row.assembly.resources("AWS::KMS::Key")
        assert '"kms:' not in json.dumps(row.assembly.template)


def test_a_key_that_is_there_is_used_and_no_other_is_made(combined: list["Combination"]) -> None:
    for row in keyed(combined, GIVEN):
        assert not row.assembly.resources("AWS::KMS::Key")


def test_a_new_key_rotates_and_lives_as_long_as_the_data(combined: list["Combination"]) -> None:
    for row in keyed(combined, NEW):
        (key,) = [each for each in row.assembly.template["Resources"].values() if each["Type"] == "AWS::KMS::Key"]
        (policies,) = {
            (each["DeletionPolicy"], each["UpdateReplacePolicy"])
            for each in row.assembly.template["Resources"].values()
            if each["Type"] == "AWS::DynamoDB::Table"
        }
        assert key["Properties"]["EnableKeyRotation"] is True
        assert key["Properties"]["PendingWindowInDays"] == 7
        assert (key["DeletionPolicy"], key["UpdateReplacePolicy"]) == policies


def test_the_keys_policy_lets_in_the_account_and_the_services_that_act_by_themselves(
    combined: list["Combination"],
) -> None:
    for row in keyed(combined, NEW):
        statements = row.assembly.only("AWS::KMS::Key")["KeyPolicy"]["Statement"]
        admin = [each for each in statements if "AWS" in each["Principal"]]
        services = {
            name if isinstance(name, str) else name["Fn::Join"][1][0] + "region": each
            for each in statements
            if "Service" in each["Principal"]
            for name in as_list(each["Principal"]["Service"])
        }
        asked = {"budgets.amazonaws.com"} if "monthly_budget_usd" in row.context else set()

        assert [json.dumps(each["Principal"]).count(":root") for each in admin] == [1]
        assert services.keys() == asked | {
            "cloudwatch.amazonaws.com",
            "events.amazonaws.com",
            "logs.region",
            "sns.amazonaws.com",
        }
        for name in services.keys() - {"logs.region", "events.amazonaws.com"}:
            assert services[name]["Condition"] == {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}}
        assert "kms:EncryptionContext:aws:logs:arn" in services["logs.region"]["Condition"]["ArnLike"]
        # SNS's guide: neither source condition works for EventBridge, so its messages would be lost.
        assert "Condition" not in services["events.amazonaws.com"]
        assert not [each for each in services.values() if "kms:*" in as_list(each["Action"])]


def test_the_security_page_has_the_statements_a_key_that_is_there_needs(combined: list["Combination"]) -> None:
    (row,) = [each for each in keyed(combined, NEW) if "monthly_budget_usd" in each.context]
    (shown,) = re.findall(r"```json\n(.*?)```", SECURITY.read_text(), re.DOTALL)

    def written(node: Any) -> Any:
        words = {
            "AWS::AccountId": "ACCOUNT",
            "AWS::Partition": "aws",
            "AWS::Region": "REGION",
            "AWS::URLSuffix": "amazonaws.com",
        }
        if isinstance(node, list):
            return [written(each) for each in node]
        if not isinstance(node, dict):
            return node
        if "Ref" in node:
            return words[node["Ref"]]
        if "Fn::Join" in node:
            return "".join(written(node["Fn::Join"][1]))
        return {name: written(value) for name, value in node.items()}

    _, *services = row.assembly.only("AWS::KMS::Key")["KeyPolicy"]["Statement"]

    assert json.loads(shown) == written(services)


def test_who_may_do_something_with_data_may_do_with_the_key_what_that_takes(combined: list["Combination"]) -> None:
    checked = set()
    for row in keyed(combined, NEW, GIVEN):
        for name, statement in row.assembly.statements():
            uses = uses_by_service(row.assembly, name)
            for action in as_list(statement["Action"]):
                if action in NEEDED:
                    assert NEEDED[action] <= uses.get(action.partition(":")[0], set()), (name, action)
                    checked.add(action)

    assert checked == NEEDED.keys()


def test_nobody_may_use_the_key_through_a_service_they_have_nothing_to_do_with(combined: list["Combination"]) -> None:
    for row in keyed(combined, NEW, GIVEN):
        for name in row.assembly.resources("AWS::IAM::Policy"):
            own = {
                action.partition(":")[0]
                for policy, statement in row.assembly.statements()
                for action in as_list(statement["Action"])
                if policy == name
            }
            assert uses_by_service(row.assembly, name).keys() - {"anything"} <= own


def test_the_key_is_granted_by_name_and_through_a_service_but_to_those_who_read_queues(
    combined: list["Combination"],
) -> None:
    """Lambda reads the queues for them, and CDK's grant says nothing of the service."""
    for row in keyed(combined, NEW, GIVEN):
        free = set()
        for name, statement in row.assembly.statements():
            actions = [action for action in as_list(statement["Action"]) if action.startswith("kms:")]
            if not actions:
                continue
            assert as_list(statement["Resource"]) == [key_of(row)]
            assert not [action for action in actions if "*" in action]
            if "Condition" not in statement:
                free.add((re.sub("Role.*", "", name), *actions))
        assert free == {("FunctionsWebhooks", "kms:Decrypt")}


def test_only_a_reader_of_objects_cannot_encrypt_any(combined: list["Combination"]) -> None:
    for row in keyed(combined, NEW, GIVEN):
        (sweeper,) = [name for name in row.assembly.resources("AWS::IAM::Policy") if "FunctionsSweeper" in name]
        (container,) = [name for name in row.assembly.resources("AWS::IAM::Policy") if "ContainerRole" in name]

        assert uses_by_service(row.assembly, sweeper)["s3"] == {"kms:Decrypt"}
        assert uses_by_service(row.assembly, container)["s3"] == {"kms:Decrypt", "kms:GenerateDataKey"}


def test_no_volume_is_encrypted_with_the_key_which_sagemaker_refuses_for_instances_with_disks(
    combined: list["Combination"],
) -> None:
    for row in combined:
        assert "KmsKeyId" not in row.assembly.only("AWS::SageMaker::EndpointConfig")
        assert not [each for each in row.assembly.statements() if "kms:CreateGrant" in as_list(each[1]["Action"])]
