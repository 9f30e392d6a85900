"""Which error a user gets for which SQLSTATE, and with which exit code the command then ends."""

from __future__ import annotations

import psycopg
import pytest

from trickle import errors
from trickle.catalog.sqlstates import error_class, translate
from trickle.cli.failures import exit_code


@pytest.mark.parametrize(
    ("sqlstate", "operation", "kind", "code"),
    [
        ("42P01", "create", errors.DefinitionError, 1),
        ("42601", "create", errors.DefinitionError, 1),
        ("42P07", "create", errors.DefinitionError, 1),
        ("0A000", "create", errors.DefinitionError, 1),
        ("22023", "alter", errors.DefinitionError, 1),
        ("22012", "create", errors.DefinitionError, 1),
        ("42501", "create", errors.ConfigurationError, 1),
        ("25006", "create", errors.Refused, 3),
        ("55P03", "create", errors.TryAgain, 4),
        ("42P01", "refresh", errors.NotFound, 1),
        ("22012", "refresh", errors.Yours, 1),
        ("22023", "refresh", errors.Refused, 3),
        ("55000", "refresh", errors.Refused, 3),
        ("42809", "refresh", errors.Refused, 3),
        ("2BP01", "drop", errors.Refused, 3),
        ("42P17", "refresh", errors.Changed, 3),
        ("40001", "verify", errors.TryAgain, 4),
        ("40P01", "refresh", errors.TryAgain, 4),
        ("57014", "refresh", errors.TryAgain, 4),
        ("53300", "refresh", errors.TryAgain, 4),
        ("08006", "refresh", errors.TryAgain, 4),
        ("55006", "drop", errors.TryAgain, 4),
        ("28P01", "refresh", errors.ConfigurationError, 1),
        ("3D000", "refresh", errors.ConfigurationError, 1),
        ("P0004", "refresh", errors.Ours, 70),
        ("XX000", "refresh", errors.Ours, 70),
        ("XX002", "create", errors.Ours, 70),
    ],
)
def test_sqlstate_decides(sqlstate: str, operation: str, kind: type[errors.TrickleError], code: int) -> None:
    assert error_class(sqlstate, operation) is kind
    assert exit_code(kind("")) == code


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (psycopg.OperationalError("connection refused"), errors.TryAgain),
        (psycopg.ProgrammingError("missing ="), errors.ConfigurationError),
        (psycopg.InternalError("lost"), errors.Ours),
    ],
)
def test_without_sqlstate_the_class_decides(error: psycopg.Error, kind: type[errors.TrickleError]) -> None:
    assert type(translate(error, "connect", None)) is kind
