"""The link that `make local` and `make demo` print: it opens the web console signed in, without a key to paste."""


def print_sign_in_link(endpoint_url: str, api_url: str, key: str, *, afterwards: str) -> None:
    """Print the console's address with a one-time code for the key's user; without a code if the API gives none.

    `afterwards`: how to open the console when the link has been used.
    """
    from generate_on_cloud.client.cloud import GenerateOnCloud
    from generate_on_cloud.client.errors import CloudError
    from generate_on_cloud.contract.sessions import MAX_CODE_MINUTES

    try:
        with GenerateOnCloud(api_url, key) as cloud:
            code = cloud.sessions.create_code(minutes=MAX_CODE_MINUTES).code
    except CloudError as error:
        print(
            f"the web console is at {endpoint_url}/ (paste the admin key there; there is no link: {error})", flush=True
        )
        return
    print("the web console, signed in:", flush=True)
    print(f"  {endpoint_url}/#code={code}", flush=True)
    print(f"  the link works once, within {MAX_CODE_MINUTES} minutes; afterwards {afterwards}", flush=True)
