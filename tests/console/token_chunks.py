"""Tokens of prompts by the container's own code, for `vectors/tokens.json`: run as a program, it writes the file."""

import json
from pathlib import Path
from typing import Any, Final

from transformers import CLIPTokenizer

from generate_on_cloud.webui.prompt.emphasis import PartText, parse_emphasis, split_composition
from generate_on_cloud.webui.prompt.extra_networks import extract_tags, strip_comments
from generate_on_cloud.webui.prompt.schedule import PromptClock, schedule_prompt
from inference_container.prompt.chunks import CHUNK_LENGTH, SpecialTokens, TokenisedText, split_into_chunks

FILE: Final = Path(__file__).with_name("vectors") / "tokens.json"
VOCABULARY: Final = Path(__file__).resolve().parents[2] / "inference_container/models/configs/sd15/tokenizer"
STEPS: Final = 20
WORDS: Final = "a painting of a quiet harbour at dawn with small wooden boats"
PROMPTS: Final = (
    "",
    "a cat",
    "A  Cat,\n\ta (very:1.3) [small] ((dog))",
    "supercalifragilisticexpialidocious 1girl, 8k uhd, don't it's we'll!!!",
    "ねこ、桜の木の下 🐈‍⬛ café naïve Ünïcödé",
    "masterpiece, <lora:detail:0.8>best quality <hypernet:x:1>",
    "a cat # a comment\n# another\nand a dog",
    f"{WORDS} " * 8,
    ", ".join([WORDS] * 8),
    f"{WORDS} BREAK {WORDS}",
    f"{WORDS} (BREAK) {WORDS}",
    "a cat AND a dog with a long tail:1.2",
    "a [cat:fluffy brown dog:0.5] in [a|the quiet old] garden",
    "a [[cat:fluffy brown dog:5]:bird:10] and [thing::3] [late thing:0.25]",
    r"a \(cat\) with \[brackets\] and (unclosed [things",
    "<|endoftext|> and <|startoftext|>",
)


def chunks_of(prompt: str, *, negative: bool, tokenizer: CLIPTokenizer) -> list[int]:
    """Tokens in each chunk of the longest text that the prompt becomes in STEPS steps."""
    special = SpecialTokens(
        start=tokenizer.bos_token_id, end=tokenizer.eos_token_id, comma=tokenizer.get_vocab()[",</w>"]
    )
    text = strip_comments(prompt)
    parts = (PartText(text, 1.0),) if negative else split_composition(extract_tags(text).text)
    found = []
    for part in parts:
        for timed in schedule_prompt(part.text, PromptClock(STEPS)):
            texts = [
                TokenisedText(
                    tokenizer(piece.text, add_special_tokens=False)["input_ids"], piece.weight, piece.is_break
                )
                for piece in parse_emphasis(timed.text)
            ]
            # Padding looks like end tokens, so the lengths are counted without it.
            filled = split_into_chunks(texts, special=SpecialTokens(special.start, -1, special.comma))
            found.append([sum(token != -1 for token in chunk.tokens[1:-1]) for chunk in filled])
    return max(found, key=lambda chunks: CHUNK_LENGTH * (len(chunks) - 1) + chunks[-1])


def vectors() -> list[dict[str, Any]]:
    tokenizer = CLIPTokenizer(
        vocab=json.loads((VOCABULARY / "vocab.json").read_text(encoding="utf-8")),
        merges=[
            tuple(line.split()) for line in (VOCABULARY / "merges.txt").read_text(encoding="utf-8").splitlines()[1:]
        ],
    )
    return [
        {"prompt": prompt, "negative": negative, "chunks": chunks_of(prompt, negative=negative, tokenizer=tokenizer)}
        for prompt in PROMPTS
        for negative in (False, True)
    ]


if __name__ == "__main__":
    FILE.write_text(json.dumps(vectors(), ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
