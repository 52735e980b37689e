"""The operations stack: alarms, dashboard, budget and firewall.

It is only deployed to AWS: the local cloud has neither metrics nor bills.
"""

from collections.abc import Mapping
from typing import Final

from aws_cdk import Stack
from aws_cdk import aws_budgets as budgets
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from aws_cdk import aws_wafv2 as wafv2
from constructs import Construct

from infrastructure.alarms import AlarmRow, Watched, alarm_rows, health_metric
from infrastructure.api import ACCESS_LOG
from infrastructure.config import AWS_ONLY, StageConfig
from infrastructure.dashboard import add_dashboard
from infrastructure.findings import acknowledge
from infrastructure.handover import CoreValues

READ: Final = ("functions", "key_arn", "log_groups", "queues")
"""The core's values that this stack reads; a firewall needs one more."""
FUNCTION_FAILED: Final = '{ ($.type = "platform.report") && ($.record.status != "success") }'
"""Lambda's own line about a run that ended with an error, a time-out or not at all."""
BILLED: Final = (
    "Amazon API Gateway",
    "Amazon DynamoDB",
    "Amazon SageMaker",
    "Amazon Simple Storage Service",
    "AmazonCloudWatch",
    "AWS Lambda",
)
"""What a stage costs by: a flood of requests, too, and not only an instance that runs."""
API_FAILED: Final = '{ ($.status = "5*") && ($.status != "503") }'
"""API Gateway's line about a request."""
RUNBOOK: Final = "docs/runbook.md"
_REQUESTS_PER_ADDRESS: Final = 2000
"""Requests per address in five minutes before the firewall blocks it."""

_BAD_STATES: Final = ("FAILED", "OUT_OF_SERVICE", "ROLLING_BACK", "UPDATE_ROLLBACK_FAILED")
"""A failed change ends as `IN_SERVICE` with the old configuration: only its rollback shows that it failed."""


class OpsStack(Stack):
    """Alarms with a runbook heading each, a dashboard, a budget, and a firewall if the stage wants one."""

    def __init__(self, scope: Construct, construct_id: str, *, config: StageConfig, values: CoreValues) -> None:
        super().__init__(
            scope,
            construct_id,
            description="Generate on Cloud: alarms, dashboard and budget",
            suppress_template_indentation=True,
            tags=AWS_ONLY,
        )
        self._config = config
        core = values.read(self, config, *READ, *(["api_stage_arn"] if config.waf else []))
        watched = Watched.of(self, core)
        self._topic = self._alarm_topic(kms.Key.from_key_arn(self, "Key", core.key_arn) if core.key_arn else None)
        for row in alarm_rows(config, watched):
            self._alarm(row)
        self._count_failures_in_logs(core.log_groups)
        self._tell_of_failed_endpoints()
        add_dashboard(self, config=config, watched=watched)
        if config.monthly_budget_usd is not None:
            self._budget(config.monthly_budget_usd)
        if config.waf:
            self._firewall(core.api_stage_arn)

    def _alarm_topic(self, key: kms.IKey | None) -> sns.Topic:
        topic = sns.Topic(self, "Alarms", enforce_ssl=True, master_key=key)
        if key is None:
            acknowledge(topic, "SNS2", "alarms contain no user data, and CloudWatch may not use AWS's own key")
        # A partition without budgets does not know the principal of that service.
        asked = [] if self._config.monthly_budget_usd is None else ["budgets"]
        for service in (*asked, "cloudwatch", "events"):
            topic.add_to_resource_policy(
                iam.PolicyStatement(
                    actions=["sns:Publish"],
                    resources=[topic.topic_arn],
                    principals=[iam.ServicePrincipal(f"{service}.amazonaws.com")],
                    conditions={"StringEquals": {"aws:SourceAccount": self.account}},
                )
            )
        if self._config.alarm_email is not None:
            topic.add_subscription(subscriptions.EmailSubscription(self._config.alarm_email))
        return topic

    def _alarm(self, row: AlarmRow) -> None:
        alarm = cloudwatch.Alarm(
            self,
            row.name,
            metric=row.metric,
            threshold=row.threshold,
            comparison_operator=cloudwatch.ComparisonOperator.LESS_THAN_OR_EQUAL_TO_THRESHOLD
            if row.below
            else cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
            evaluation_periods=row.periods,
            datapoints_to_alarm=row.periods,
            treat_missing_data=cloudwatch.TreatMissingData.BREACHING
            if row.below
            else cloudwatch.TreatMissingData.NOT_BREACHING,
            alarm_description=f"{row.why} What to do: {RUNBOOK}#{row.name.lower()}",
        )
        alarm.add_alarm_action(actions.SnsAction(self._topic))

    def _count_failures_in_logs(self, log_groups: Mapping[str, str]) -> None:
        """Errors of functions and of the API, from their logs into the health metric, at no cost while there are none.

        A 503 of the API is not counted: it says that the stage has no endpoint, or that SageMaker throttles.
        """
        metric = health_metric(self._config)
        for name, log_group in log_groups.items():
            logs.CfnMetricFilter(
                self,
                f"{name}Failures",
                log_group_name=log_group,
                filter_pattern=API_FAILED if name == ACCESS_LOG else FUNCTION_FAILED,
                metric_transformations=[
                    logs.CfnMetricFilter.MetricTransformationProperty(
                        metric_namespace=metric.namespace, metric_name=metric.metric_name, metric_value="1"
                    )
                ],
            )

    def _tell_of_failed_endpoints(self) -> None:
        """SageMaker has no metric for it, but sends an event when an endpoint's state changes."""
        events.Rule(
            self,
            "EndpointFailed",
            description=f"An endpoint failed, or a change of it is being undone. What to do: {RUNBOOK}#endpointfailed",
            event_pattern=events.EventPattern(
                source=["aws.sagemaker"],
                detail_type=["SageMaker Endpoint State Change"],
                detail={
                    "EndpointName": [{"prefix": self._config.endpoint_prefix}],
                    "EndpointStatus": list(_BAD_STATES),
                },
            ),
            targets=[targets.SnsTopic(self._topic)],
        )

    def _budget(self, dollars: float) -> None:
        budgets.CfnBudget(
            self,
            "Budget",
            budget=budgets.CfnBudget.BudgetDataProperty(
                budget_type="COST",
                time_unit="MONTHLY",
                budget_limit=budgets.CfnBudget.SpendProperty(amount=dollars, unit="USD"),
                cost_filters={"Service": list(BILLED)},
            ),
            notifications_with_subscribers=[
                budgets.CfnBudget.NotificationWithSubscribersProperty(
                    notification=budgets.CfnBudget.NotificationProperty(
                        comparison_operator="GREATER_THAN",
                        notification_type=kind,
                        threshold=percent,
                        threshold_type="PERCENTAGE",
                    ),
                    subscribers=[
                        budgets.CfnBudget.SubscriberProperty(subscription_type="SNS", address=self._topic.topic_arn)
                    ],
                )
                for kind, percent in (("ACTUAL", 80), ("FORECASTED", 100))
            ],
        )

    def _firewall(self, api_stage_arn: str) -> None:
        def seen(name: str) -> wafv2.CfnWebACL.VisibilityConfigProperty:
            return wafv2.CfnWebACL.VisibilityConfigProperty(
                cloud_watch_metrics_enabled=True, metric_name=name, sampled_requests_enabled=False
            )

        acl = wafv2.CfnWebACL(
            self,
            "Firewall",
            scope="REGIONAL",
            default_action=wafv2.CfnWebACL.DefaultActionProperty(allow={}),
            # CloudWatch distinguishes firewalls by this name alone.
            visibility_config=seen(f"{self._config.stack_name}-Firewall"),
            rules=[
                wafv2.CfnWebACL.RuleProperty(
                    name="rate-per-address",
                    priority=0,
                    action=wafv2.CfnWebACL.RuleActionProperty(block={}),
                    statement=wafv2.CfnWebACL.StatementProperty(
                        rate_based_statement=wafv2.CfnWebACL.RateBasedStatementProperty(
                            aggregate_key_type="IP", limit=_REQUESTS_PER_ADDRESS
                        )
                    ),
                    visibility_config=seen("RatePerAddress"),
                ),
                *(
                    wafv2.CfnWebACL.RuleProperty(
                        name=name,
                        priority=priority,
                        override_action=wafv2.CfnWebACL.OverrideActionProperty(none={}),
                        statement=wafv2.CfnWebACL.StatementProperty(
                            managed_rule_group_statement=wafv2.CfnWebACL.ManagedRuleGroupStatementProperty(
                                vendor_name="AWS", name=name
                            )
                        ),
                        visibility_config=seen(name),
                    )
                    for priority, name in enumerate(MANAGED_RULES, start=1)
                ),
            ],
        )
        wafv2.CfnWebACLAssociation(self, "FirewallOfApi", resource_arn=api_stage_arn, web_acl_arn=acl.attr_arn)


MANAGED_RULES: Final = ("AWSManagedRulesAmazonIpReputationList", "AWSManagedRulesKnownBadInputsRuleSet")
"""AWS's managed rule sets without the common one, which refuses bodies over 8 kB; pictures are larger."""
