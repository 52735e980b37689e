"""Errors of prompts and styles."""


class PromptSyntaxError(ValueError):
    """A prompt cannot be parsed; the message names what was received and what is allowed."""


class StyleError(ValueError):
    """Styles cannot be applied."""


class UnknownStyleError(StyleError):
    """A style is not in the table; the message lists those that are."""


class StylesFileError(ValueError):
    """A styles file cannot be read; the message says why."""
