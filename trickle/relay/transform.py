"""JMESPath over payloads: which messages go on, and what they say.

A filter drops what it does not find true; true is what JMESPath calls so: everything but null, false, and empty texts,
lists and objects. A projection makes another payload. Both see the payload as it was published, numbers as a double
holds them; a payload that is only filtered keeps its bytes.

Expressions are compiled once. An unknown function, or one with too few arguments, is found when the configuration is
read. What fails on a message is the message's fault.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import jmespath
from jmespath import exceptions, functions, visitor

from trickle.errors import ConfigurationError
from trickle.relay.problems import unknown
from trickle.relay.view import Unusable

Evaluate = Callable[[Any], Any]


def compile_expression(text: str) -> Evaluate:
    """A function that evaluates the expression on a document, and raises Unusable.

    Raises:
        ConfigurationError: the expression is not one.
    """
    mistake = wrong(text)
    if mistake:
        raise ConfigurationError(mistake)
    tree = jmespath.compile(text).parsed
    interpreter = visitor.TreeInterpreter()

    def evaluate(document: Any) -> Any:
        try:
            return interpreter.visit(tree, document)
        except exceptions.JMESPathTypeError as error:
            wanted = " or ".join(error.expected_types)
            reason = f"{error.function_name}() takes {wanted}, not {error.actual_type}"
        # The interpreter lets the exceptions of Python through, with values of the message in them.
        except Exception as error:
            reason = type(error).__name__
        raise Unusable(f"{text!r} cannot be evaluated on it: {reason}") from None

    return evaluate


def is_true(value: Any) -> bool:
    """Whether JMESPath takes it for true: 0 is."""
    return value is not None and value is not False and value != "" and value != [] and value != {}


def wrong(text: str) -> str | None:
    """What is wrong with an expression."""
    try:
        calls = list(_calls(jmespath.compile(text).parsed))
    except exceptions.JMESPathError as error:
        return f"is not JMESPath: {' '.join(str(error).split())}"
    except RecursionError:
        return "is nested too deeply"
    for name, count in calls:
        known = functions.Functions.FUNCTION_TABLE
        if name not in known:
            return f"{name}(): {unknown(name, known, 'function')}"
        signature = known[name]["signature"]
        is_variadic = bool(signature) and bool(signature[-1].get("variadic"))
        if count < len(signature) or (count > len(signature) and not is_variadic):
            least = "at least " if is_variadic else ""
            return f"{name}() takes {least}{len(signature)} arguments, not {count}"
    return None


def _calls(node: Any) -> Iterator[tuple[str, int]]:
    """The functions that an expression calls, with the number of arguments."""
    if isinstance(node, dict):
        if node.get("type") == "function_expression":
            yield node["value"], len(node["children"])
        for child in node.get("children", ()):
            yield from _calls(child)
