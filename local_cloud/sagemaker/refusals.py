"""What the local SageMaker and its scaling do not accept."""


class RefusedError(Exception):
    """A request AWS would not accept, with the code of its own error."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
