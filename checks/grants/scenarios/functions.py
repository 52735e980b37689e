"""Scenarios of the functions themselves: the first key, and each function's log."""

import json
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

from checks.grants.deployed import client, function_named
from checks.grants.scenarios.visit import Scenario, Visit


def make_the_first_key(visit: Visit) -> None:
    """Make and remove the first key as CloudFormation does; the parameter is restored afterwards."""
    store, name = client(visit.cloud, "ssm"), visit.cloud.outputs["AdminKeyParameter"]
    store.delete_parameter(Name=name)
    try:
        for request_type in ("Create", "Delete"):
            with answer_of_cloudformation() as (url, said):
                visit.invoke("FirstKey", {"RequestType": request_type, **named_by_cloudformation(visit, url)})
            assert [one["Status"] for one in said] == ["SUCCESS"], said
    finally:
        store.put_parameter(Name=name, Type="SecureString", Value=visit.cloud.admin_key, Overwrite=True)


def named_by_cloudformation(visit: Visit, url: str) -> dict[str, str]:
    return {"ResponseURL": url, **dict.fromkeys(("StackId", "RequestId", "LogicalResourceId"), visit.mark)}


@contextmanager
def answer_of_cloudformation() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """The address that custom resources answer to, and their answers."""
    said: list[dict[str, Any]] = []

    class Answer(BaseHTTPRequestHandler):
        def do_PUT(self) -> None:
            said.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Log nothing."""

    with HTTPServer(("127.0.0.1", 0), Answer) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/", said
        finally:
            server.shutdown()
            thread.join()


OF_NO_JOB = {
    "messageId": "none",
    "receiptHandle": "none",
    "body": json.dumps({"job_id": "none"}),
    "attributes": {"ApproximateReceiveCount": "1"},
    "eventSource": "aws:sqs",
}
"""A message that is about no job; a batch without any is refused."""
LOGGED: Mapping[str, Mapping[str, object]] = {
    "Console": {"path": "/"},
    "EndpointKeeper": {},
    "Sweeper": {},
    "AssetInspection": {},
    "AssetImport": {"asset_id": "0" * 32, "url": "https://models.example/"},
    # The key is there, so an update only answers; a deletion would take the cloud's own key away.
    "FirstKey": {"RequestType": "Update"},
    "JobEvents": {"Records": []},
    "Webhooks": {"Records": [OF_NO_JOB]},
}
"""Functions, each with an event that gives it nothing to do."""


def writing_the_log_of(function: str) -> Scenario:
    """The scenario in which a function only writes its log."""

    def write(visit: Visit) -> None:
        lines = len(log_of(visit, function))
        if function == "FirstKey":
            with answer_of_cloudformation() as (url, _):
                visit.invoke(function, {**LOGGED[function], **named_by_cloudformation(visit, url)})
        elif function in LOGGED:
            visit.invoke(function, LOGGED[function])
        else:
            visit.ask("GET", "health").raise_for_status()
        until_logged(visit, function, lines)

    write.__name__ = f"write_the_log_of_{function}"
    return write


def until_logged(visit: Visit, function: str, lines: int) -> None:
    deadline = time.monotonic() + 60
    while len(log_of(visit, function)) <= lines:
        assert time.monotonic() < deadline, f"{function} wrote no log"
        time.sleep(0.2)


def log_of(visit: Visit, function: str) -> list[Any]:
    logs = client(visit.cloud, "logs")
    name = function_named(visit.cloud, function)
    group = client(visit.cloud, "lambda").get_function_configuration(FunctionName=name)["LoggingConfig"]["LogGroup"]
    pages = logs.get_paginator("filter_log_events").paginate(logGroupName=group)
    return [event for page in pages for event in page["events"]]
