"""How long the client's own loop stands still."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import threading
import time

from bench_peer import echo, peer
from echoproto.client.stalls import StallMeter
from support import BIN, DEADLINE, start


def test_a_loop_that_stands_still_is_noticed():
    async def main():
        meter = StallMeter()
        meter.start()
        await asyncio.sleep(0.02)
        time.sleep(0.2)  # noqa: ASYNC251 - it holds the loop
        await asyncio.sleep(0.02)
        meter.stop()
        assert meter.longest > 0.15

    asyncio.run(main())


def test_a_stall_that_has_not_ended_counts():
    async def main():
        meter = StallMeter()
        meter.start()
        time.sleep(0.2)  # noqa: ASYNC251 - it holds the loop
        meter.stop()
        assert meter.longest > 0.15

    asyncio.run(main())


def test_a_bench_that_was_stopped_for_a_while_says_that_latencies_may_be_its_own():
    runs = threading.Event()

    def change(data, so_far):
        if so_far > 100 * 64:
            runs.set()
        return data

    words = [BIN / "echoproto", "bench", "-c", "1", "-d", "1", "--json"]
    with peer(echo(change)) as target, start(*words, target, stderr=subprocess.PIPE) as process:
        assert runs.wait(DEADLINE)
        process.send_signal(signal.SIGSTOP)
        time.sleep(0.3)  # how long it stands still
        process.send_signal(signal.SIGCONT)
        result = json.loads(process.stdout.read())
        assert process.wait(DEADLINE) == 0
    assert result["longest_stall"] > 0.25
