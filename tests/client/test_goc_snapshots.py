"""The help of every command and every table are as `python -m tests.client.snapshots` wrote them, 80 columns wide."""

import time

import pytest

from tests.client.snapshots import HELP, SHOWN, TABLES, commands, help_pages, tables


def test_the_help_of_every_command_is_as_written() -> None:
    assert help_pages() == HELP.read_text(encoding="utf-8")


def test_every_table_is_as_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    assert tables() == TABLES.read_text(encoding="utf-8")


def test_every_command_has_a_page_and_no_line_is_wider_than_the_terminal() -> None:
    pages = HELP.read_text(encoding="utf-8")

    assert [command for command in commands() if f"$ goc {command} -h".replace("  ", " ") not in pages] == []
    assert [command for command in SHOWN if f"$ goc {command}\n" not in TABLES.read_text(encoding="utf-8")] == []
    assert [line for line in pages.splitlines() if len(line) > 80] == []


def test_no_option_shows_a_type_of_the_program() -> None:
    assert "<bool>" not in HELP.read_text(encoding="utf-8")
