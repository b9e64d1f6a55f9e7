"""The documentation says what the code does: every setting, metric and route stands there, and nothing else does."""

import re
from pathlib import Path

from service.manifest import Manifest
from service.settings import Settings

ROOT = Path(__file__).parents[2]


def table_names(page: str, pattern: str) -> set[str]:
    """What stands in code marks at the start of a table's row and matches the pattern."""
    rows = (ROOT / "docs" / page).read_text().splitlines()
    cells = [row.split("|")[1] for row in rows if row.startswith("| `")]
    return {name for cell in cells for name in re.findall(r"`([^`]+)`", cell) if re.fullmatch(pattern, name)}


def test_every_setting_is_documented_with_its_default_and_meaning() -> None:
    page = (ROOT / "docs/settings.md").read_text()
    for name, field in Settings.model_fields.items():
        variable = f"ENDOMASK_{name.upper()}"
        row = next((line for line in page.splitlines() if line.startswith(f"| `{variable}` |")), None)
        assert row is not None, f"{variable} is not in docs/settings.md"
        shown = "" if field.default is None else str(field.default)
        assert row.split("|")[2].strip() == (f"`{shown}`" if shown else "unset"), row
        assert field.description, f"{name} has no docstring"
        assert " ".join(field.description.split()) in row.replace("\\|", "|"), row


def test_no_setting_is_documented_that_does_not_exist() -> None:
    documented = table_names("settings.md", r"ENDOMASK_\w+")
    assert documented == {f"ENDOMASK_{name.upper()}" for name in Settings.model_fields}


def test_every_manifest_field_is_documented() -> None:
    assert table_names("models.md", r"[a-z_]+") >= set(Manifest.model_fields)
