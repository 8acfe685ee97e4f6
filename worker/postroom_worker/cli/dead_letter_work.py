"""What the commands about dead letters do, once it is clear which are meant."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from enum import StrEnum
from typing import TYPE_CHECKING, assert_never

import click

from postroom.keys import Keys
from postroom.lanes import Lane
from postroom_worker.adapters.dead_letters import DeadLetters, Retried
from postroom_worker.cli.answers import print_facts, print_json
from postroom_worker.cli.dead_letter_answers import json_of, print_letter, print_table, printable
from postroom_worker.cli.exit_status import ExitStatus
from postroom_worker.cli.progress import progress_bar
from postroom_worker.composition import load_settings, open_dead_letters

if TYPE_CHECKING:
    from collections.abc import Sequence

    from postroom_worker.adapters.dead_letters import DeadLetter
    from postroom_worker.cli.dead_letter_filters import Filters


class Deed(StrEnum):
    """What is done to dead letters in bulk, in the word of its question."""

    RETRY = "retry"
    DROP = "drop"


class Result(StrEnum):
    """What became of it for one of them."""

    RETRIED = "retried"
    DROPPED = "dropped"
    GONE = "gone"  # it is not there, or not any more
    UNREADABLE = "unreadable"  # no worker could read it: it would come back at once


class DeadLetterDesk:
    """The dead letters of one namespace in one Redis."""

    def __init__(self, *, redis_url: str, namespace: str) -> None:
        self._settings = load_settings({"redis_url": redis_url, "namespace": namespace})
        keys = Keys(self._settings.namespace)
        self._lanes = {keys.queue(lane): str(lane) for lane in Lane}

    def list_letters(self, filters: Filters, *, as_json: bool) -> ExitStatus:
        """Print those that are meant; NO for none."""
        letters, more = asyncio.run(self._selected(filters))
        if as_json:
            for letter in letters:
                print_json(json_of(letter, lane=self._lanes.get(letter.queue)))
        elif letters:
            print_table(letters)
        if not letters:
            click.echo("no dead letters", err=True)
        if more:
            click.echo(f"there are more than these {len(letters)}: raise --limit", err=True)
        return ExitStatus.DONE if letters else ExitStatus.NO

    def show(self, letter_id: str, *, as_json: bool) -> ExitStatus:
        """Print one whole; NO for one that is not there."""
        return asyncio.run(self._show(letter_id, as_json=as_json))

    def act(
        self, deed: Deed, ids: Sequence[str], filters: Filters, *, everything: bool, yes: bool, as_json: bool
    ) -> ExitStatus:
        """Retry or drop those that are named, or all that are meant; NO where one could not be, or there was none."""
        if everything:
            letters, _ = asyncio.run(self._selected(filters))
            ids = [letter.id for letter in letters]
            if ids and not yes:
                click.confirm(_question(deed, len(ids)), abort=True, err=True)
        results = asyncio.run(self._act(deed, ids))
        _print_results(results, as_json=as_json)
        done = Result.RETRIED if deed is Deed.RETRY else Result.DROPPED
        return ExitStatus.DONE if results and all(result is done for _, result in results) else ExitStatus.NO

    async def _selected(self, filters: Filters) -> tuple[list[DeadLetter], bool]:
        """Return those that are meant, and whether there are more than the limit."""
        selected: list[DeadLetter] = []
        now = time.time()
        async with open_dead_letters(self._settings) as dead_letters:
            async for letter in dead_letters.all():
                lane, age_seconds = self._lanes.get(letter.queue), now - letter.dead_at
                if filters.take(lane=lane, reason=letter.reason, age_seconds=age_seconds):
                    if len(selected) == filters.limit:
                        return selected, True
                    selected.append(letter)
        return selected, False

    async def _show(self, letter_id: str, *, as_json: bool) -> ExitStatus:
        async with open_dead_letters(self._settings) as dead_letters:
            letter = await dead_letters.get(letter_id)
            history = await dead_letters.history(letter_id)
        if letter is None:
            click.echo("there is no such dead letter: see postroom dead-letters list", err=True)
            return ExitStatus.NO
        print_letter(letter, history, lane=self._lanes.get(letter.queue), as_json=as_json)
        return ExitStatus.DONE

    async def _act(self, deed: Deed, ids: Sequence[str]) -> list[tuple[str, Result]]:
        results: list[tuple[str, Result]] = []
        async with open_dead_letters(self._settings) as dead_letters:
            with progress_bar(deed, len(ids)) as tell:
                for letter_id in ids:
                    results.append((letter_id, await _done(deed, letter_id, dead_letters)))
                    tell(len(results))
        return results


async def _done(deed: Deed, letter_id: str, dead_letters: DeadLetters) -> Result:
    match deed:
        case Deed.DROP:
            return Result.DROPPED if await dead_letters.drop(letter_id) else Result.GONE
        case Deed.RETRY:
            return {
                Retried.DONE: Result.RETRIED,
                Retried.GONE: Result.GONE,
                Retried.UNREADABLE: Result.UNREADABLE,
            }[await dead_letters.retry(letter_id)]
        case _:
            assert_never(deed)


def _question(deed: Deed, number: int) -> str:
    match deed:
        case Deed.DROP:
            return f"Delete {number} dead letters for good, with the emails in them?"
        case Deed.RETRY:
            return f"Put {number} dead letters back into their queues, to be sent?"
        case _:
            assert_never(deed)


def _print_results(results: Sequence[tuple[str, Result]], *, as_json: bool) -> None:
    if as_json:
        for letter_id, result in results:
            print_json({"id": letter_id, "result": result})
        return
    counts = Counter(result for _, result in results)
    if not counts:
        click.echo("no dead letters", err=True)
    print_facts({str(result): counts[result] for result in Result if counts[result]})
    for letter_id, result in results:
        if result is Result.GONE:
            click.echo(f"{printable(letter_id)}: not there, or not any more", err=True)
        elif result is Result.UNREADABLE:
            click.echo(f"{printable(letter_id)}: no worker could read it; look at it with show, then drop it", err=True)
