"""Why a model file is refused: the same two reasons, in the same words, at its upload and where it is loaded."""


class RefusedFileError(Exception):
    """The file is whole, but not one this version uses; the text is the reason, for its owner."""


class NotPlainError(RefusedFileError):
    """A pickle in the file asks for more than tensors, which could run code or take any amount of memory."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"it is not a plain tensor file; convert it to .safetensors ({reason})")


class BrokenFileError(RefusedFileError):
    """The bytes are no whole file of its format."""
