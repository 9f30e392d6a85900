"""The block that an error is shown as."""

from __future__ import annotations

import pytest
import typer
from typer.testing import CliRunner

from trickle import errors
from trickle.cli.errors import known
from trickle.cli.failures import TrickleGroup, block, exit_code


def test_what_and_hint() -> None:
    error = errors.Refused("this server is a standby", hint="connect to the primary\nor wait")
    assert block(error) == (
        "error[T104]: this server is a standby\n    hint: connect to the primary\n          or wait"
    )


def test_codes_are_unique_and_every_class_has_an_exit_code() -> None:
    codes = [kind.code for kind in known()]
    assert len(codes) == len(set(codes))
    assert {exit_code(kind("")) for kind in known()} == {1, 3, 4, 70}


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (errors.NotFound("no x"), 1, "error[T103]: no x"),
        (errors.Changed("x changed"), 3, "error[T200]"),
        (errors.Ours("odd"), 70, "error[T400]"),
        (ZeroDivisionError("oops"), 70, "a defect of Trickle"),
        (KeyboardInterrupt(), 130, ""),
        (typer.BadParameter("no"), 2, "no"),
        (typer.Exit(5), 5, ""),
    ],
)
def test_every_error_of_a_verb_becomes_an_exit_code(error: BaseException, code: int, words: str) -> None:
    app = typer.Typer(cls=TrickleGroup, pretty_exceptions_enable=False)

    @app.callback()
    def root() -> None:
        """A group, as the real one."""

    @app.command()
    def fail() -> None:
        raise error

    result = CliRunner().invoke(app, ["fail"])
    assert result.exit_code == code
    assert words in result.stderr
    assert result.stdout == ""
