"""The waits between two attempts to connect grow, up to a limit, and are random below it."""

from __future__ import annotations

from echoproto.client.backoff import FIRST, MOST, Backoff


def test_the_limit_doubles_up_to_the_most_and_begins_anew():
    backoff = Backoff(lambda _, most: most)
    assert [backoff.next() for _ in range(8)] == [0.5, 1, 2, 4, 8, 16, 30, 30]
    backoff.reset()
    assert backoff.next() == FIRST


def test_each_wait_is_anything_between_nothing_and_the_limit():
    asked = []
    backoff = Backoff(lambda least, most: asked.append((least, most)) or 0.1)
    assert {backoff.next() for _ in range(7)} == {0.1}
    assert asked[0] == (0, FIRST)
    assert asked[-1] == (0, MOST)


def test_clients_that_begin_together_do_not_come_back_together():
    assert len({Backoff().next() for _ in range(50)}) > 40
