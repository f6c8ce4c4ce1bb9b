"""Several things done at once, their results in the order of the things."""

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

# Results that wait for an earlier, slower one, for each job: no thread stands still for one large photo.
_AHEAD = 4


def in_order(
    function: Callable[[Item], Result], items: Iterable[Item], jobs: int
) -> Generator[tuple[Item, Callable[[], Result]], None, None]:
    """Call a function of each item, of several at once in threads, which overlap where they leave Python's lock.

    Args:
        function: of an item.
        items: taken as they are needed, no more than a few ahead of what is handed out.
        jobs: so many at once; 1: in this thread, when its result is asked for.

    Yields:
        Each item with a function that waits for its result, or raises what it raised; in the items' order.
    """
    if jobs == 1:
        for item in items:
            yield item, partial(function, item)
        return
    waiting: deque[tuple[Item, Future[Result]]] = deque()
    with ThreadPoolExecutor(jobs) as pool:
        try:
            for item in items:
                waiting.append((item, pool.submit(function, item)))
                if len(waiting) >= _AHEAD * jobs:
                    first, future = waiting.popleft()
                    yield first, future.result
            while waiting:
                first, future = waiting.popleft()
                yield first, future.result
        finally:
            pool.shutdown(wait=False, cancel_futures=True)  # after Ctrl-C what has not begun does not begin
