"""What can be wrong with a prompt."""


class PromptSyntaxError(ValueError):
    """A prompt that cannot be read; the text names what was received and what is allowed."""


class StyleError(ValueError):
    """Styles that cannot be applied."""


class UnknownStyleError(StyleError):
    """A style that is not in the table; the text names the styles there are."""


class StylesFileError(ValueError):
    """A styles file that cannot be read; the text says what is wrong with it."""
