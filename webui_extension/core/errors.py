"""Failures that the panel shows in plain words."""

from __future__ import annotations


class PanelError(Exception):
    """Something the user can mend; the text is shown as it is."""


class CloudError(PanelError):
    """The service refused a request or could not be reached.

    `status` is the HTTP status, 0 if there was no answer; `code` is the problem's code, "" if the answer had none.
    """

    def __init__(self, text: str, *, status: int = 0, code: str = "") -> None:
        super().__init__(text)
        self.status = status
        self.code = code
