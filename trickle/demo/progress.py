"""Telling what is being prepared: bars on a terminal, one line per step elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn


class Step:
    """A step that is under way: move it on, and leave a word about how it ended."""

    def __init__(self, moved: Callable[[int], None]) -> None:
        self._moved = moved
        self.outcome = ""

    def advance(self, amount: int) -> None:
        self._moved(amount)


class Reporter(Protocol):
    """Whoever tells a person about steps."""

    def step(self, text: str, total: int | None = None) -> AbstractContextManager[Step]:
        """One step, from beginning to end; without a total nobody knows how long it takes."""


@contextmanager
def reporting(console: Console, *, is_plain: bool) -> Iterator[Reporter]:
    """A reporter for some steps."""
    if is_plain:
        yield Lines(console)
        return
    columns = (
        SpinnerColumn(finished_text="[green]✓"),
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=16),
        TextColumn("{task.fields[outcome]}", style="dim", markup=False),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console) as progress:
        yield Bars(progress)


class Lines:
    """For pipes and logs."""

    def __init__(self, console: Console) -> None:
        self._console = console

    @contextmanager
    def step(self, text: str, total: int | None = None) -> Iterator[Step]:
        began = time.monotonic()
        self._console.print(f"{text} …", markup=False)
        step = Step(lambda _: None)
        yield step
        seconds = time.monotonic() - began
        self._console.print(f"  {step.outcome or 'done'} ({seconds:.1f} s)", markup=False, soft_wrap=True)


class Bars:
    """For a terminal; the finished steps stay on it."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress

    @contextmanager
    def step(self, text: str, total: int | None = None) -> Iterator[Step]:
        task = self._progress.add_task(text, total=total, outcome="")
        step = Step(lambda amount: self._progress.advance(task, amount))
        yield step
        self._progress.update(task, total=total or 1, completed=total or 1, outcome=step.outcome)
