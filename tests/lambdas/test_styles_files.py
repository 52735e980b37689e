"""A styles file is looked at before it becomes an asset."""

import pytest

from generate_on_cloud.contract.assets import AssetType
from generate_on_cloud.model_files.facts import FileFacts, read_facts
from generate_on_cloud.model_files.memory_bytes import MemoryBytes
from generate_on_cloud.model_files.refusals import RefusedFileError


def test_webuis_styles_file_is_taken() -> None:
    source = MemoryBytes("\ufeffname,prompt,negative_prompt\r\nink,drawn,blurred\r\n".encode())

    assert read_facts(source, name="styles.csv", asset_type=AssetType.STYLES) == FileFacts()


def test_another_table_is_refused_with_what_a_styles_file_has() -> None:
    with pytest.raises(RefusedFileError, match=r"it is not a styles file: .* the columns a, b; allowed: name, prompt"):
        read_facts(MemoryBytes(b"a,b\n1,2\n"), name="styles.csv", asset_type=AssetType.STYLES)
