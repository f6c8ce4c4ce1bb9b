import threading
from contextlib import closing

import pytest

from occlumark.cli.jobs import in_order


def fails_on_odd(number):
    if number % 2:
        raise ValueError(str(number))
    return 10 * number


@pytest.mark.parametrize("jobs", [1, 2, 5])
def test_results_and_errors_come_in_order(jobs):
    came = []
    for number, result in in_order(fails_on_odd, range(50), jobs):
        try:
            came.append((number, result()))
        except ValueError as error:
            came.append((number, str(error)))
    assert came == [(n, str(n) if n % 2 else 10 * n) for n in range(50)]


def test_so_many_run_at_once():
    together = threading.Barrier(3, timeout=30)  # waits for three, or fails
    results = [result() for _, result in in_order(lambda _: together.wait(), range(6), 3)]
    assert sorted(results) == [0, 0, 1, 1, 2, 2]


def test_one_job_is_this_thread():
    assert [result() for _, result in in_order(lambda _: threading.current_thread(), "ab", 1)] == [
        threading.main_thread()
    ] * 2


def test_few_are_taken_ahead_and_none_after_the_end():
    """A slow first item does not fill the memory with the results of all that follow."""
    taken, may_end = [], threading.Event()

    def items():
        for number in range(1000):
            taken.append(number)
            yield number

    begun = []

    def wait(number):
        begun.append(number)
        may_end.wait(30)

    with closing(in_order(wait, items(), 2)) as results:
        assert next(results)[0] == 0
        assert len(taken) == 8
        may_end.set()
    assert len(taken) == 8
