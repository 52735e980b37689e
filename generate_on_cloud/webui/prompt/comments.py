"""Comments in prompts: from `#` to the end of the line (semantics §4.1)."""

import re

_COMMENT_LINE = re.compile(r"(?:^|\n)#[^\n]*(?:\n|$)")
_COMMENT_AT_END = re.compile(r"#[^\n]*(?:\n|$)")


def strip_comments(text: str) -> str:
    """Remove the comments from `text`; as in WebUI 1.10.1, each leaves one newline, so that infotexts are equal."""
    return _COMMENT_AT_END.sub("\n", _COMMENT_LINE.sub("\n", text))
