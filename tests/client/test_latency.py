"""Latencies: recorded by the hundred thousand, read as percentiles."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from echoproto.client.latency import MAX_LATENCY, PERCENTILES, Latencies

NAMES = ["mean", "min", *(f"p{percentile}" for percentile in PERCENTILES), "max"]

times = st.floats(min_value=1e-4, max_value=MAX_LATENCY)


def recorded(seconds):
    latencies = Latencies()
    for each in seconds:
        latencies.record(each)
    return latencies


@settings(max_examples=10)  # a histogram takes milliseconds to be read
@given(st.lists(times, min_size=1, max_size=300))
def test_every_percentile_is_that_of_the_times_to_three_digits(seconds):
    summary = recorded(seconds).summary()
    ranked = sorted(seconds)
    assert summary["min"] == pytest.approx(ranked[0], rel=2e-3)
    assert summary["max"] == pytest.approx(ranked[-1], rel=2e-3)
    assert summary["mean"] == pytest.approx(math.fsum(seconds) / len(seconds), rel=2e-3)
    for percentile in PERCENTILES:
        rank = max(int(percentile * len(ranked) / 100 + 0.5), 1)  # as HdrHistogram rounds it
        assert summary[f"p{percentile}"] == pytest.approx(ranked[rank - 1], rel=2e-3)


@settings(max_examples=10)  # a histogram takes milliseconds to be read
@given(st.lists(st.tuples(times, st.integers(1, 50)), min_size=1, max_size=20))
def test_a_time_recorded_many_times_at_once_is_the_same_as_one_by_one(batches):
    at_once = Latencies()
    for seconds, count in batches:
        at_once.record_many(seconds, count)
    one_by_one = recorded([seconds for seconds, count in batches for _ in range(count)])
    assert at_once.summary() == one_by_one.summary()
    assert at_once.count == one_by_one.count == sum(count for _, count in batches)


def test_it_does_not_matter_when_they_are_gathered():
    latencies = Latencies()
    for number in range(1, 101):
        latencies.record(number / 1000)
        if number % 7 == 0:
            latencies.gather()
            assert latencies.count == number
    assert latencies.summary() == recorded([n / 1000 for n in range(1, 101)]).summary()


def test_a_microsecond_is_told_from_two():
    summary = recorded([1e-6, 2e-6]).summary()
    assert summary["min"] == pytest.approx(1e-6, abs=6e-8)
    assert summary["max"] == pytest.approx(2e-6, abs=6e-8)


def test_of_no_time_there_is_no_percentile():
    summary = Latencies().summary()
    assert list(summary) == NAMES
    assert set(summary.values()) == {None}
    assert Latencies().curve() == []


def test_the_curve_goes_up_from_the_shortest_to_the_longest():
    curve = recorded([number / 1000 for number in range(1, 1001)]).curve()
    assert curve == sorted(curve)
    assert curve[0] == (0, pytest.approx(0.001, rel=2e-3))
    assert curve[-1] == (100, pytest.approx(1, rel=2e-3))
    assert any(percent > 99.9 for percent, _ in curve[:-1])
