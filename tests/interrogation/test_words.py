"""Lists of phrases, and the lines WebUI writes of matches and tags (semantics §6)."""

import pytest

from generate_on_cloud.contract.interrogation import InterrogateOptions
from inference_container.drawing.picture_words import best_matches
from inference_container.interrogation.categories import read_category, shipped_categories, write_matches
from inference_container.interrogation.tagging import Tag, keep_tags, write_tags

SCORED = [
    (Tag("long_hair", 0.5), 0.9),
    (Tag("1girl", 0.5), 0.7),
    (Tag("saber_(fate)", 0.5), 0.8),
    (Tag("back\\slash", 0.5), 0.5),
    (Tag("rating:safe", 0.5, rating=True), 0.99),
    (Tag("hat", 0.5), 0.4999),
]


WEBUI = r"1girl, back\\slash, long hair, saber \(fate\)"
"""With the options WebUI begins with."""


def line(**options: object) -> str:
    read = InterrogateOptions.model_validate(options)
    return write_tags(keep_tags(SCORED, read), read)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, WEBUI),
        ({"deepbooru_sort_alpha": False}, r"long hair, saber \(fate\), 1girl, back\\slash"),
        ({"deepbooru_use_spaces": False}, r"1girl, back\\slash, long_hair, saber_\(fate\)"),
        ({"deepbooru_escape": False}, "1girl, back\\slash, long hair, saber (fate)"),
        ({"deepbooru_filter_tags": "long hair, 1girl"}, r"back\\slash, saber \(fate\)"),
        ({"deepbooru_filter_tags": "saber_(fate),LONG_HAIR"}, r"1girl, back\\slash, long hair"),
        (
            {"interrogate_return_ranks": True},
            r"(1girl:0.700), (back\\slash:0.500), (long hair:0.900), (saber \(fate\):0.800)",
        ),
        ({"interrogate_deepbooru_score_threshold": 0.75}, r"long hair, saber \(fate\)"),
        ({"interrogate_deepbooru_score_threshold": 0.0, "deepbooru_filter_tags": "hat"}, WEBUI),
    ],
)
def test_tags_are_written_as_the_options_say(options: dict[str, object], expected: str) -> None:
    assert line(**options) == expected


def test_each_tag_has_its_own_threshold_until_the_request_names_one() -> None:
    scored = [(Tag("general", 0.35), 0.4), (Tag("somebody", 0.85), 0.8)]

    assert keep_tags(scored, InterrogateOptions()) == {"general": 0.4}
    asked = InterrogateOptions(interrogate_deepbooru_score_threshold=0.3)
    assert keep_tags(scored, asked) == {"general": 0.4, "somebody": 0.8}


def test_tags_of_one_score_keep_the_order_of_the_vocabulary() -> None:
    scored = [(Tag("b", 0.5), 0.6), (Tag("a", 0.5), 0.6)]

    assert list(keep_tags(scored, InterrogateOptions(deepbooru_sort_alpha=False))) == ["b", "a"]


def test_a_list_tells_as_many_phrases_as_its_name_says() -> None:
    assert read_category("flavors.top3", "a\n b \n").top == 3
    assert read_category("flavors", " a\r\nb, by c \n") == read_category("flavors", "a\nb, by c")
    assert read_category("top3", "a").top == 1


def test_only_the_first_lines_of_a_list_are_looked_at() -> None:
    category = read_category("flavors", "a\nb\nc")

    assert category.looked_at(2) == ("a", "b")
    assert category.looked_at(0) == category.looked_at(9) == ("a", "b", "c")


def test_the_best_phrases_come_first() -> None:
    category = read_category("pets.top2", "cat\ndog\nfish")

    assert best_matches(category, category.phrases, [0.2, 0.7, 0.1]) == [("dog", 0.7), ("cat", 0.2)]
    assert best_matches(category, (), []) == []


def test_matches_follow_the_caption_with_their_ranks_when_asked_for() -> None:
    matches = [("oil painting", 0.12345), ("by dusk", 1.0)]

    assert write_matches("a cat", matches, ranks=False) == "a cat, oil painting, by dusk"
    assert write_matches("a cat", matches, ranks=True) == "a cat, (oil painting:0.123), (by dusk:1.000)"


def test_the_lists_of_the_package_are_whole() -> None:
    categories = shipped_categories()

    assert [category.name for category in categories] == ["artists", "flavors", "mediums", "movements"]
    for category in categories:
        assert len(category.phrases) > 50
        assert len(set(category.phrases)) == len(category.phrases)
        assert all(category.phrases)
