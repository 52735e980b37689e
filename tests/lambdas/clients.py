"""The typed client against the API's function."""

import httpx

from generate_on_cloud.client.cloud import GenerateOnCloud
from tests.lambdas.cloud import Cloud

URL = "http://cloud.test"


def client_of(cloud: Cloud, key: str) -> GenerateOnCloud:
    """A client whose requests go to the API's function."""

    def answer(request: httpx.Request) -> httpx.Response:
        query, body = dict(request.url.params), request.content.decode() or None
        path = request.url.path
        reply = cloud.ask(request.method, path, body, user=None, query=query or None, headers=dict(request.headers))
        return httpx.Response(reply.status, headers=dict(reply.headers), text=reply.text)

    return GenerateOnCloud(URL, key, http=httpx.Client(transport=httpx.MockTransport(answer)))
