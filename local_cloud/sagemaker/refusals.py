"""Requests that the local SageMaker and its scaling refuse."""


class RefusedError(Exception):
    """A request that AWS would refuse, with AWS's error code."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
