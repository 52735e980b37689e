"""Texts from files that nobody vouches for, on their way into a database row or an answer."""

MAX_REASON = 500
"""Characters of a refusal that are kept."""


def is_text(text: str) -> bool:
    """Whether UTF-8 can carry the text; JSON and pickles may hold halves of surrogate pairs, which it cannot."""
    return text.isascii() or not any("\ud800" <= character <= "\udfff" for character in text)


def kept_reason(text: str) -> str:
    """A reason as its reader gets it: shortened, with a question mark for each character that UTF-8 cannot carry."""
    whole = text if len(text) <= MAX_REASON else f"{text[: MAX_REASON - 1]}…"
    return whole.encode("utf-8", "replace").decode("utf-8")
