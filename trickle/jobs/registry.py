"""Which function does the jobs of which queue."""

from __future__ import annotations

import dataclasses
import inspect
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from trickle.errors import ConfigurationError
from trickle.jobs.around import Around

Function = TypeVar("Function", bound=Callable[..., Any])
Wrapper = TypeVar("Wrapper", bound=Around)

_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


@dataclass(frozen=True, slots=True)
class Handler:
    """A function for the jobs of one queue, and how it wants to be called."""

    queue: str
    call: Callable[..., Any]
    payload: type[Any] | None  # a dataclass; None: JSON as it is
    wants_context: bool
    is_coroutine: bool


class Registry:
    """The handlers of one program."""

    def __init__(self) -> None:
        self._handlers: dict[str, Handler] = {}
        self._around: list[Around] = []

    @property
    def around_all(self) -> tuple[Around, ...]:
        return tuple(self._around)

    def around(self, function: Wrapper) -> Wrapper:
        """Register what is done around every handler: called with the JobContext and `proceed`, which it awaits.

            async def around(context, proceed):
                with tracer.start_as_current_span(context.queue):
                    return await proceed()

        The first that is registered is the outermost.

        Raises:
            ConfigurationError: it cannot be awaited.
        """
        is_async = inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(type(function).__call__)
        if not is_async:
            raise ConfigurationError(
                f"what is around handlers has to be `async`: {function!r}",
                hint="async def around(context, proceed): return await proceed()",
            )
        self._around.append(function)
        return function

    def copy(self) -> Registry:
        """The same handlers, and around them what is around these; to be added to."""
        other = Registry()
        other._handlers, other._around = dict(self._handlers), list(self._around)
        return other

    @property
    def handlers(self) -> Mapping[str, Handler]:
        return self._handlers

    def job(self, queue: str) -> Callable[[Function], Function]:
        """Register a function, `async` or not, for a queue: called with the payload, and a JobContext if it takes two.

        A first parameter that is annotated with a dataclass gets an instance of it. A function that is not `async`
        runs in a thread.

        Raises:
            ConfigurationError: the queue has a handler, or the function takes other arguments.
        """

        def register(function: Function) -> Function:
            if queue in self._handlers:
                raise ConfigurationError(
                    f"queue {queue!r} has a handler: {self._handlers[queue].call.__qualname__}",
                    hint="give each queue one function",
                )
            self._handlers[queue] = _handler(queue, function)
            return function

        return register


def _handler(queue: str, function: Callable[..., Any]) -> Handler:
    parameters = [p for p in inspect.signature(function).parameters.values() if p.kind in _POSITIONAL]
    if len(parameters) not in (1, 2):
        raise ConfigurationError(
            f"the handler of queue {queue!r} takes {len(parameters)} arguments",
            hint="let it take the payload, or the payload and a JobContext",
        )
    kind = typing.get_type_hints(function).get(parameters[0].name)
    return Handler(
        queue,
        function,
        kind if isinstance(kind, type) and dataclasses.is_dataclass(kind) else None,
        len(parameters) == 2,
        inspect.iscoroutinefunction(function),
    )


REGISTRY = Registry()

job = REGISTRY.job
around = REGISTRY.around
