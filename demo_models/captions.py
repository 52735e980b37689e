"""What a user would type to get a scene: several phrasings, chosen at random."""

import random
import string
from dataclasses import dataclass

from demo_models.scenes import COLOURS, PLACES, SHAPES, SIZES, Scene, Thing

_PLACE_PHRASES: dict[str, tuple[str, ...]] = {
    "center": ("in the center", "in the middle"),
    "left": ("on the left",),
    "right": ("on the right",),
    "top": ("at the top",),
    "bottom": ("at the bottom",),
}
_RELATIONS: dict[str, tuple[tuple[str, bool], ...]] = {
    "beside": (("left of", False), ("to the left of", False), ("right of", True), ("to the right of", True)),
    "stacked": (("above", False), ("over", False), ("below", True), ("under", True)),
}
"""Phrase, and whether the second thing (right, lower) is named first."""
_PREFIXES = ("a picture of", "a drawing of", "an illustration of", "a photo of", "masterpiece, best quality,")
_BACKGROUND_PHRASES = ("on {article} background", "with {article} background", "in front of {article} background")

WORDS: tuple[str, ...] = tuple(
    dict.fromkeys(
        " ".join(
            [
                *SHAPES,
                *COLOURS,
                *SIZES,
                *PLACES,
                *(phrase for phrases in _PLACE_PHRASES.values() for phrase in phrases),
                *(phrase for phrases in _RELATIONS.values() for phrase, _ in phrases),
                *(prefix.replace(",", "") for prefix in _PREFIXES),
                "on with in front of a an the and one two things thing shape background next to big tiny",
                # Reserved for later training: more shapes, colours and styles, and words that WebUI users type.
                "moon hexagon arrow brown gray gold silver style sketch pastel neon night inverted outline soft blurry",
                "ugly bad low quality photo image picture by in of simple flat detailed worst art",
            ]
        ).split()
    )
)
"""Words that are single tokens of the family's tokenizer."""


def _with_article(words: str) -> str:
    return f"{'an' if words[0] in 'aeiou' else 'a'} {words}"


def _name(thing: Thing, *, size: str | None, article: bool) -> str:
    words = " ".join(filter(None, [size, thing.colour, thing.shape]))
    return _with_article(words) if article else words


def describe(scene: Scene) -> str:
    """The plain caption for measuring quality; it names everything except a medium size."""
    background = f"on {_with_article(scene.background)} background"
    if scene.arrangement:
        first, second = (_name(thing, size=None, article=True) for thing in scene.things)
        return f"{first} {_RELATIONS[scene.arrangement][0][0]} {second} {background}"
    thing = _name(scene.things[0], size=None if scene.size == "medium" else scene.size, article=True)
    return f"{thing} {_PLACE_PHRASES[str(scene.place)][0]} {background}"


def _junk(lot: random.Random) -> str:
    """Random letters, so that unknown words do not disturb the model."""
    letters = string.ascii_lowercase + string.digits
    return " ".join("".join(lot.choices(letters, k=lot.randint(1, 7))) for _ in range(lot.randint(1, 3)))


@dataclass(frozen=True)
class Caption:
    text: str
    said: dict[str, str]
    """Attribute → what the text requests, by the judge's names of the questions; things in the order of `Scene`."""


def draw_caption(scene: Scene, lot: random.Random) -> Caption:
    """One of the many captions of the scene; it may leave out size, place, relation and background."""
    article = lot.random() < 0.75
    said: dict[str, str] = {}
    for order, thing in zip(("first", "second"), scene.things, strict=False):
        said |= {f"{order}_shape": thing.shape, f"{order}_colour": thing.colour}
    if scene.arrangement:
        names = [_name(thing, size=None, article=article) for thing in scene.things]
        if lot.random() < 0.15:
            subject = " and ".join(names)
        else:
            relation, swapped = lot.choice(_RELATIONS[scene.arrangement])
            first, second = reversed(names) if swapped else names
            subject = f"{first} {relation} {second}"
            said["arrangement"] = scene.arrangement
        parts = [subject]
    else:
        size = scene.size if lot.random() < (0.15 if scene.size == "medium" else 0.6) else None
        parts = [_name(scene.things[0], size=size, article=article)]
        said |= {"size": size} if size else {}
        if lot.random() < 0.65:
            parts.append(lot.choice(_PLACE_PHRASES[str(scene.place)]))
            said["place"] = str(scene.place)
    if article and lot.random() < 0.12:
        parts[0] = f"{lot.choice(_PREFIXES)} {parts[0]}"
    separator = " "
    if lot.random() < 0.88:
        said["background"] = scene.background
        if lot.random() < 0.7:
            phrase = lot.choice(_BACKGROUND_PHRASES)
            parts.append(phrase.format(article=_with_article(scene.background)))
        else:
            separator = ", "
            parts.insert(lot.choice([0, len(parts)]), f"{scene.background} background")
    text = separator.join(parts)
    if lot.random() < 0.06:
        text = f"{text}, {_junk(lot)}"
    return Caption(text, said)


def draw_training_text(scene: Scene, lot: random.Random) -> Caption:
    """A caption, or in one of ten cases an empty or meaningless text, which guidance needs."""
    chance = lot.random()
    if chance < 0.08:
        return Caption("", {})
    return Caption(_junk(lot), {}) if chance < 0.10 else draw_caption(scene, lot)
