"""Cleans phrases as CLIP's published tokenizer does before it splits them into tokens."""

import html
import re
import unicodedata

_STRAIGHT = {
    **dict.fromkeys(range(0x2018, 0x201C), "'"),
    **dict.fromkeys(range(0x201C, 0x2020), '"'),
    0x02BC: "'",
}
"""Curly quotation marks by their code points."""
_LETTERS = re.compile("[\ufb00-\ufb06\u0132\u0133\u0149\u01c4-\u01cc\u01f1-\u01f3\u3000\uff01-\uffef]+")
"""Latin ligatures, and full-width and half-width characters."""


def clean_phrase(phrase: str) -> str:
    """Resolve HTML entities, straighten quotation marks, replace ligatures and wide characters; composed (NFC).

    These are the steps of ftfy 6, which CLIP's tokenizer calls, except for its repair of wrongly decoded text.
    """
    text = phrase if "<" in phrase else html.unescape(phrase)
    text = _LETTERS.sub(lambda match: unicodedata.normalize("NFKC", match[0]), text.translate(_STRAIGHT))
    return html.unescape(html.unescape(unicodedata.normalize("NFC", text)))
