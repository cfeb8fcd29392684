"""`make bench`: the same work for our server and its peers, in one run, interleaved.

A run of everything writes `docs/benchmarks.md` and its chart; what is selected (`--cases`,
`--peers`) or short is printed.
"""

from __future__ import annotations

import argparse
import os
import resource
import signal
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from time import monotonic

from bench import cases, chart, report, servers
from bench.results import Results
from bench.servers import CannotError

DOCS = Path(__file__).parents[2] / "docs"
ROUNDS = 7
SECONDS = 0.8


def say(*words):
    print(*words, file=sys.stderr, flush=True)


def arguments():
    parser = argparse.ArgumentParser(prog="make bench", description="Compare echo servers.")
    parser.add_argument("--cases", type=names_of(cases.CASES), default=list(cases.CASES))
    parser.add_argument("--peers", type=names_of(servers.PEERS), default=list(servers.PEERS))
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--seconds", type=float, default=SECONDS, help="for each measurement")
    parser.add_argument("--write", action="store_true", help="write to docs/ in any case")
    given = parser.parse_args()
    if given.rounds < 1 or given.seconds <= 0:
        parser.error("--rounds is at least 1, and --seconds more than 0")
    return given


def names_of(known):
    """What parses a comma-separated list of them; their order stays that of `known`."""

    def parse(text):
        wanted = text.split(",")
        if unknown := [name for name in wanted if name not in known]:
            there_are = ", ".join(known)
            raise argparse.ArgumentTypeError(f"no {', '.join(unknown)}: there are {there_are}")
        return [name for name in known if name in wanted]

    return parse


def is_whole(given):
    everything = given.cases == list(cases.CASES) and given.peers == list(servers.PEERS)
    return everything and given.rounds >= ROUNDS and given.seconds >= SECONDS


class Comparison:
    """One run: `results` fills as it goes."""

    def __init__(self, given, folder):
        self.rounds = given.rounds
        self.seconds = given.seconds
        self.folder = folder
        self.results = Results()

    def leave_out(self, case, peer, why):
        self.results.leave_out(case.name, peer, str(why))
        say(f"  {peer} left out: {why}")

    def run(self, case, peers):
        """Measure `peers`, in every round beginning with another."""
        say(f"{case.name}: {case.title}")
        with ExitStack() as stack:
            # Memory is of a new server. Otherwise they stay: at rest they cost nothing.
            stays = case.load != "idle"
            running = {peer: self.start(case, peer, stack) for peer in peers} if stays else {}
            for number in range(self.rounds):
                first = number * len(peers) // self.rounds
                for peer in peers[first:] + peers[:first]:
                    if (case.name, peer) in self.results.left_out:
                        continue
                    with ExitStack() as once:
                        self.measure(case, peer, running.get(peer) or self.start(case, peer, once))
                say(f"  round {number + 1} of {self.rounds}")

    def start(self, case, peer, stack):
        """A running server that `stack` ends, or None."""
        try:
            serving = servers.PEERS[case.server or peer]
            cases.check(case, serving)
            server = servers.running(serving, self.folder, tls=case.tls)
            return stack.enter_context(server)
        except CannotError as error:
            self.leave_out(case, peer, error)
            return None

    def measure(self, case, peer, server):
        if server is None:
            return
        try:
            self.results.add(case.name, peer, cases.measure(case, peer, server, self.seconds))
        except CannotError as error:
            self.leave_out(case, peer, error)


def main():
    given = arguments()
    if sys.platform != "linux":
        sys.exit("make bench needs Linux: CPU time and memory of the servers are read from /proc")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # servers are ended, too
    os.environ["PATH"] += os.pathsep + "/usr/sbin"  # xinetd is there, where only root looks
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))
    how = {"rounds": given.rounds, "seconds": given.seconds, "load_average": os.getloadavg()[0]}
    started = monotonic()
    with tempfile.TemporaryDirectory(prefix="echoproto-bench-") as name:
        comparison = Comparison(given, Path(name))
        results = comparison.results
        reasons = {peer: servers.missing(servers.PEERS[peer]) for peer in given.peers}
        absent = {peer: why for peer, why in reasons.items() if why}
        present = [peer for peer in given.peers if peer not in absent]
        wanted = [cases.CASES[case] for case in given.cases]
        servers.build(Path(name), {*present, *(case.server for case in wanted)})
        for case in wanted:
            for peer in filter(case.takes, absent):
                comparison.leave_out(case, peer, absent[peer])
            comparison.run(case, list(filter(case.takes, present)))
    say(f"{(monotonic() - started) / 60:.0f} minutes")
    page = report.write(results, given.peers, given.cases, how)
    if given.write or is_whole(given):
        (DOCS / "benchmarks.md").write_text(page)
        chart.draw(results, given.peers, DOCS / report.CHART)
        say("written: docs/benchmarks.md and its chart")
    else:
        print(page)


if __name__ == "__main__":
    main()
