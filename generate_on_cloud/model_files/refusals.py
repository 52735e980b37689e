"""Why a model file is refused: one set of errors and messages for the upload and for loading."""


class RefusedFileError(Exception):
    """The file cannot be used; the message gives the reason to its owner."""


class NotPlainError(RefusedFileError):
    """A pickle in the file contains more than tensors, which could run code or exhaust the memory."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"it is not a plain tensor file; convert it to .safetensors ({reason})")


class BrokenFileError(RefusedFileError):
    """The file is incomplete or malformed."""
