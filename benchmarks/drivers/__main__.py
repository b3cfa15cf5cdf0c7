"""`python -m benchmarks.drivers SYSTEM VERB [NAME=NUMBER ...]`: what the harness runs in a system's own environment.

The figures are the last line on standard output.
"""

import asyncio
import importlib
import sys
from collections.abc import Callable, Coroutine
from typing import Any

from benchmarks.drivers import verbs


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        uvloop = importlib.import_module("uvloop")
    except ImportError:
        return None
    factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return factory


async def _drive(module: Any, verb: str, numbers: dict[str, int]) -> verbs.Figures:
    driver = module.make_driver()
    await driver.open()
    figures: verbs.Figures = await verbs.VERBS[verb](driver, **numbers)
    verbs.say(figures=figures)  # before the end: some do not close in time
    await driver.close()
    return figures


def main(system: str, verb: str, *given: str) -> None:
    """Do one thing, and say what came of it."""
    numbers = {name: int(value) for name, value in (pair.split("=") for pair in given)}
    module = importlib.import_module(f"benchmarks.drivers.{system}")
    if verb in getattr(module, "VERBS", {}):
        verbs.say(figures=module.VERBS[verb](**numbers))
        return
    task: Coroutine[Any, Any, verbs.Figures] = _drive(module, verb, numbers)
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(task)


if __name__ == "__main__":
    main(*sys.argv[1:])
