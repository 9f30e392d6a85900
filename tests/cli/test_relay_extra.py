"""A relay that lacks its libraries says which extra brings them. Oracle: the sentence."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest
from typer.testing import CliRunner

from trickle.cli import relay_extra
from trickle.cli.main import app


@pytest.mark.parametrize("words", [["relay"], ["relay", "apply", "x.yaml"], ["relay", "test", "x"]])
def test_what_is_missing_is_named(words: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    real = importlib.util.find_spec
    monkeypatch.setattr(relay_extra, "find_spec", lambda name: None if name == "jmespath" else real(name))
    monkeypatch.chdir(tmp_path)
    ended = CliRunner().invoke(app, words)
    assert ended.exit_code == (78 if words == ["relay"] else 1)
    assert "the relay needs jmespath" in ended.output and "trickle-pg[relay]" in ended.output
