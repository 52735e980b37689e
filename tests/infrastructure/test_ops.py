"""Operations: every alarm has a heading in the runbook, somebody is told, and the local cloud leaves it all out."""

import json
import re
from pathlib import Path

from benchmarks.cost import read_standing
from generate_on_cloud.cost import API_GB
from generate_on_cloud.standing import Standing, idle_month, read_prices
from infrastructure.config import AWS_ONLY
from lambdas.functions.health import Problem
from local_cloud.assembly import read_assembly

# pytest puts no folder on the import path: the fixtures' type is only needed by the checker.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from tests.infrastructure.conftest import Assembly

RUNBOOK = Path(__file__).resolve().parents[2] / "docs" / "runbook.md"


def operations(assembly: "Assembly") -> str:
    """The template of the operations stack, as text."""
    return assembly.template_paths[-1].read_text()


def test_every_alarm_names_its_heading_in_the_runbook_and_every_heading_has_an_alarm(changed: "Assembly") -> None:
    named = set(re.findall(r"What to do: docs/runbook\.md#([a-z]+)", operations(changed)))
    headings = {heading.lower() for heading in re.findall(r"^## (.+)$", RUNBOOK.read_text(), re.MULTILINE)}
    linked = set(re.findall(r"\(#([a-z]+)\)", RUNBOOK.read_text()))

    problems = {problem.lower() for problem in Problem} | {"functionerrors", "apierrors"}

    assert named | problems | {"budget"} == headings
    assert linked <= headings


def test_every_alarm_of_the_stack_tells_the_topic_and_takes_no_data_for_good_news(changed: "Assembly") -> None:
    (topic,) = [name for name in changed.resources("AWS::SNS::Topic") if name.startswith("Alarms")]
    alarms = [
        alarm
        for alarm in changed.resources("AWS::CloudWatch::Alarm").values()
        if "docs/runbook.md" in alarm["AlarmDescription"]
    ]

    assert all(alarm["AlarmActions"] == [{"Ref": topic}] for alarm in alarms)
    assert {re.findall("#([a-z]+)", alarm["AlarmDescription"])[0]: alarm["TreatMissingData"] for alarm in alarms} == {
        "health": "notBreaching",
        "awakewhileidle": "notBreaching",
        "sweepersilent": "breaching",
    }


def test_every_queue_of_messages_given_up_is_counted_by_the_sweeper(aws: "Assembly") -> None:
    queues = aws.resources("AWS::SQS::Queue").values()
    (subscribed,) = {
        each["RedrivePolicy"]["deadLetterTargetArn"]["Fn::GetAtt"][0]
        for each in aws.resources("AWS::SNS::Subscription").values()
        if "RedrivePolicy" in each
    }
    targets = {q["RedrivePolicy"]["deadLetterTargetArn"]["Fn::GetAtt"][0] for q in queues if "RedrivePolicy" in q}
    targets.add(subscribed)
    counted = json.dumps(aws.like("AWS::Lambda::Function", "Sweeper")["Environment"]["Variables"]["DEAD_LETTER_QUEUES"])

    assert len(targets) == 2
    assert all(target in counted for target in targets)


def test_the_cost_model_counts_what_the_templates_hold(aws: "Assembly") -> None:
    standing = read_standing(aws.template["Resources"])

    assert standing == Standing()
    assert aws.like("AWS::Lambda::Function", "FunctionsApi")["MemorySize"] == 1024 * API_GB
    assert idle_month(read_prices(), standing) <= 1.00


def test_everything_that_costs_by_being_there_is_counted(changed: "Assembly") -> None:
    standing = read_standing(changed.template["Resources"])

    assert (standing.firewalls, standing.alarm_metrics) == (1, 6)


def test_no_metric_is_billed_for_each_method_of_the_api(aws: "Assembly") -> None:
    (settings,) = aws.only("AWS::ApiGateway::Stage")["MethodSettings"]

    assert settings["MetricsEnabled"] is False


def test_failures_in_every_log_feed_the_one_metric_of_the_health_alarm(aws: "Assembly") -> None:
    filters = aws.resources("AWS::Logs::MetricFilter")
    alarm = aws.like("AWS::CloudWatch::Alarm", "Health")
    fed = {
        (each["MetricNamespace"], each["MetricName"])
        for properties in filters.values()
        for each in properties["MetricTransformations"]
    }
    watched = {json.dumps(properties["LogGroupName"]) for properties in filters.values()}
    of_functions = {
        json.dumps(properties["LoggingConfig"]["LogGroup"])
        for properties in aws.resources("AWS::Lambda::Function").values()
    }

    assert fed == {(alarm["Namespace"], alarm["MetricName"])} == {("GenerateOnCloud/Health", "GenerateOnCloud")}
    assert of_functions < watched
    assert len(watched - of_functions) == 1


def test_the_one_asked_for_gets_the_alarms_by_mail_and_nobody_otherwise(aws: "Assembly", changed: "Assembly") -> None:
    mails = [
        [
            each["Endpoint"]
            for each in assembly.resources("AWS::SNS::Subscription").values()
            if each["Protocol"] == "email"
        ]
        for assembly in (aws, changed)
    ]

    assert mails == [[], ["oncall@example.com"]]


def test_a_budget_and_a_firewall_are_there_when_asked_for(aws: "Assembly", changed: "Assembly") -> None:
    budget = changed.only("AWS::Budgets::Budget")
    association = changed.only("AWS::WAFv2::WebACLAssociation")
    (acl,) = changed.resources("AWS::WAFv2::WebACL")

    assert budget["Budget"]["BudgetLimit"] == {"Amount": 250, "Unit": "USD"}
    # A flood of requests costs, too.
    assert set(budget["Budget"]["CostFilters"]["Service"]) >= {"Amazon SageMaker", "Amazon API Gateway", "AWS Lambda"}
    assert [each["Notification"]["Threshold"] for each in budget["NotificationsWithSubscribers"]] == [80, 100]
    assert association["WebACLArn"] == {"Fn::GetAtt": [acl, "Arn"]}
    assert "/stages/" in json.dumps(association["ResourceArn"])
    assert not aws.resources("AWS::Budgets::Budget")
    assert not aws.resources("AWS::WAFv2::WebACL")


def test_a_failed_endpoint_of_this_stage_is_told_and_no_other(changed: "Assembly") -> None:
    patterns = [rule for rule in changed.resources("AWS::Events::Rule").values() if "EventPattern" in rule]
    (rule,) = [each for each in patterns if "EndpointStatus" in each["EventPattern"]["detail"]]

    assert rule["EventPattern"]["detail"] == {
        "EndpointName": [{"prefix": "goc-dev-"}],
        "EndpointStatus": ["FAILED", "OUT_OF_SERVICE", "ROLLING_BACK", "UPDATE_ROLLBACK_FAILED"],
    }


def test_numbers_of_the_stage_reach_the_sweeper(aws: "Assembly", changed: "Assembly") -> None:
    minutes = [
        assembly.like("AWS::Lambda::Function", "Sweeper")["Environment"]["Variables"]["OLDEST_JOB_MINUTES"]
        for assembly in (aws, changed)
    ]

    assert minutes == ["60", "25"]


def test_the_local_cloud_leaves_the_operations_stack_out(local: "Assembly") -> None:
    deployed = [stack.name for stack in read_assembly(local.folder)]
    tags = local.json_file("manifest.json")["artifacts"]["GenerateOnCloud-Ops"]["properties"]["tags"]

    assert deployed == ["GenerateOnCloud", "GenerateOnCloud-Inference"]
    assert tags == AWS_ONLY
