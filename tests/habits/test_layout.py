"""What stands where: the top level is fixed, everything is packaged, nothing shadows a library."""

from __future__ import annotations

import re

import pytest
from support.repository import PACKAGE, ROOT, lines, packages, setup_cfg

TOP_LEVEL = {
    "CHANGELOG.md",
    "LICENSE",
    "README.md",
    "alembic",
    "benchmarks",
    "deploy",
    "docs",
    "pyproject.toml",
    "setup.cfg",
    "tests",
    "tox.ini",
    "trickle",
}
MADE_BY_TOOLS = {"build", "dist", "node_modules"}


def test_the_top_level_holds_what_it_should_and_no_more() -> None:
    found = {path.name for path in ROOT.iterdir() if not path.name.startswith(".")}
    strangers = {name for name in found - TOP_LEVEL - MADE_BY_TOOLS if not name.endswith(".egg-info")}
    assert not strangers


def test_migrations_do_not_shadow_the_library() -> None:
    """With an `__init__.py` the folder `alembic/` would be imported in place of Alembic."""
    assert not (ROOT / "alembic" / "__init__.py").exists()


def test_pyproject_only_says_how_to_build() -> None:
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert len(text.splitlines()) == 3
    assert text.startswith("[build-system]")


def test_every_package_is_in_the_wheel() -> None:
    listed = lines(setup_cfg()["options"]["packages"])
    assert listed == sorted(listed)
    assert set(listed) - {"trickle.migrations"} == set(packages())


def test_every_kind_of_file_is_in_the_wheel() -> None:
    """Package data is listed by pattern, so a new kind of file is easily left out."""
    shipped = {".py", ".sql", ".typed"}
    found = {path.suffix or path.name for path in PACKAGE.rglob("*") if path.is_file()}
    assert found - {".pyc"} <= shipped | {"py.typed"}


def test_every_package_with_sql_ships_it() -> None:
    """A package of another room may hold SQL too, and is only found missing after an installation."""
    with_sql = {"trickle." + path.relative_to(PACKAGE).parts[0] for path in PACKAGE.rglob("*.sql")}
    listed = setup_cfg()["options.package_data"]
    assert {name for name in with_sql if "**/*.sql" in lines(listed.get(name, ""))} == with_sql


@pytest.mark.parametrize("extra", ["demo", "test"])
def test_extras_pin_the_same_embedded_server(extra: str) -> None:
    extras = setup_cfg()["options.extras_require"]
    assert set(lines(extras["embedded"])) <= set(lines(extras[extra]))


def test_every_room_is_in_the_map_of_imports() -> None:
    """A package that no layer names would be free to import, and be imported by, anything."""
    layers = setup_cfg()["importlinter:contract:rooms"]["layers"]
    named = set(re.findall(r"\w+", layers))
    rooms = {path.stem for path in PACKAGE.iterdir() if (path / "__init__.py").exists() or path.suffix == ".py"}
    assert rooms - {"__init__", "__main__"} == named
