"""The first page to look at: jobs, queue, instances, API and functions of a stage."""

from aws_cdk import aws_cloudwatch as cloudwatch
from constructs import Construct

from generate_on_cloud.contract.metrics import ContainerMetric
from infrastructure.alarms import (
    Watched,
    api_metric,
    endpoint_metric,
    failures_by_code,
    instance_metric,
    own_metric,
    problems_by_name,
)
from infrastructure.config import StageConfig
from lambdas.functions.metrics import Metric


def add_dashboard(scope: Construct, *, config: StageConfig, watched: Watched) -> cloudwatch.Dashboard:
    """Rows from what users notice down to what the machines do."""

    def graph(title: str, *metrics: cloudwatch.IMetric, right: tuple[cloudwatch.IMetric, ...] = ()) -> None:
        widgets.append(
            cloudwatch.GraphWidget(title=title, left=list(metrics), right=list(right), width=8, live_data=True)
        )

    widgets: list[cloudwatch.IWidget] = []
    graph("Problems, by heading in the runbook", problems_by_name(config))
    graph(
        "Finished jobs, and those that failed for our reasons",
        own_metric(Metric.JOBS_ENDED, config, statistic="Sum"),
        own_metric(Metric.JOBS_FAILED_BY_US, config, statistic="Sum"),
    )
    graph("Failed jobs, by code", failures_by_code(config))
    graph(
        "Seconds a job waited and ran",
        own_metric(Metric.RUN_SECONDS, config, statistic="p90"),
        own_metric(Metric.QUEUE_SECONDS, config, statistic="p90"),
    )
    graph(
        "Open jobs, and age of the oldest (right, seconds)",
        own_metric(Metric.OPEN_JOBS, config, statistic="Maximum"),
        right=(own_metric(Metric.OLDEST_OPEN_JOB_SECONDS, config, statistic="Maximum"),),
    )
    graph(
        "Cost of a job in US dollars, and of all jobs (right)",
        own_metric(ContainerMetric.JOB_COST_USD, config, statistic="Average"),
        right=(own_metric(ContainerMetric.JOB_COST_USD, config, statistic="Sum"),),
    )
    graph("Jobs that waited for a cold start", own_metric(ContainerMetric.COLD_STARTS, config, statistic="Sum"))
    graph(
        "Model files: on disk, or fetched",
        own_metric(ContainerMetric.DISK_CACHE_HITS, config, statistic="Sum"),
        own_metric(ContainerMetric.DISK_CACHE_MISSES, config, statistic="Sum"),
    )
    graph(
        "Models: already loaded, or read",
        own_metric(ContainerMetric.MODEL_CACHE_HITS, config, statistic="Sum"),
        own_metric(ContainerMetric.MODEL_CACHE_MISSES, config, statistic="Sum"),
    )
    graph("GPU memory per job, bytes", own_metric(ContainerMetric.GPU_MEMORY_BYTES, config, statistic="Maximum"))
    graph(
        "Queue of the endpoint",
        endpoint_metric("ApproximateBacklogSize", config),
        endpoint_metric("HasBacklogWithoutCapacity", config),
    )
    graph(
        "GPU and its memory, percent",
        instance_metric("GPUUtilization", config),
        instance_metric("GPUMemoryUtilization", config),
    )
    graph(
        "Memory and disk of the instance, percent",
        instance_metric("MemoryUtilization", config),
        instance_metric("DiskUtilization", config),
    )
    graph(
        "Requests and errors",
        api_metric("Count", config, statistic="Sum"),
        api_metric("4XXError", config, statistic="Sum"),
        api_metric("5XXError", config, statistic="Sum"),
    )
    graph(
        "Milliseconds per request",
        api_metric("Latency", config, statistic="p50"),
        api_metric("Latency", config, statistic="p99"),
    )
    graph("Errors of functions", *(function.metric_errors() for function in watched.functions.values()))
    graph(
        "Messages in dead-letter queues",
        *(queue.metric_approximate_number_of_messages_visible() for queue in watched.dead_letters),
    )
    graph("Minutes an instance ran without a job", own_metric(Metric.AWAKE_WITHOUT_JOBS, config, statistic="Sum"))
    dashboard = cloudwatch.Dashboard(scope, "Dashboard")
    for start in range(0, len(widgets), 3):
        dashboard.add_widgets(*widgets[start : start + 3])
    return dashboard
