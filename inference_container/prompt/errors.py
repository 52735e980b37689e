"""What can be wrong with a prompt."""


class PromptSyntaxError(ValueError):
    """A prompt that cannot be read; the text names what was received and what is allowed."""


class UnknownStyleError(ValueError):
    """A style that is not in the table; the text names the styles there are."""
