"""How many nodes one head keeps busy: ``python -m benchmarks.cluster [SECONDS]``.

Real Ray nodes on this computer, whose machine is made up: it takes time and no CPU. Every measurement goes into a
store, as in tuning. Prints measurements per minute by number of nodes, what the head spends on each, bytes on the way,
and, by a simulation with these figures, at how many nodes the head has no time left.
"""

from __future__ import annotations

import heapq
import logging
import random
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import ray
from ray.cluster_utils import Cluster
from tests.cluster.made_up import MADE_UP, MadeUpOpener

from hltune.cluster.head import Head
from hltune.cluster.machine import ClusterMachine
from hltune.cluster.parcel import encode
from hltune.machine.inputs import Inputs
from hltune.machine.options import MeasureOptions
from hltune.runtime.progress import Silent
from hltune.samples.writer import Store
from hltune.schedule.parse import parse_schedule
from hltune.search.mutation import Parent, mutants
from hltune.tuning.history import History
from hltune.values.candidate import Candidate
from hltune.values.pipeline import PipelineSpec
from hltune.values.sample import PipelineRecord
from hltune.workspace.records import Workspace
from hltune.workspace.subject import SubjectOptions, load_subject

NODES = (1, 2, 4, 8)
SIMULATED = (8, 64, 1000)
EACH_S = 0.5
"""What a measurement takes on a node."""
DEPTH = 7
"""Schedules that a node of one core has in hand, see `ClusterSession`."""


@dataclass(frozen=True, kw_only=True)
class Rate:
    """What a cluster of so many nodes came to."""

    nodes: int
    measured: int
    seconds: float
    head_s: float

    @property
    def per_minute(self) -> float:
        return 60 * self.measured / self.seconds


def main() -> None:
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 30.0
    with tempfile.TemporaryDirectory() as folder:
        subject = load_subject(SubjectOptions(pipeline="median3x3", target="host"), Workspace(Path(folder)))
        candidates = candidates_of(subject.spec, round(2 * max(NODES) * seconds / EACH_S))
        sizes = [len(encode([(key, each.schedule)])) for key, each in list(candidates.items())[:100]]
        print(f"{EACH_S} s each; {len(candidates)} schedules, {np.mean(sizes):.0f} bytes each on the way to a node")
        print("nodes  per minute  of so many times one  head, ms of CPU each")
        rates: list[Rate] = []
        for nodes in NODES:
            rates.append(measured(nodes, subject.spec, candidates, seconds, Path(folder, f"{nodes}.sqlite")))
            share = rates[-1].per_minute / rates[0].per_minute / nodes
            each_ms = 1e3 * rates[-1].head_s / rates[-1].measured
            print(f"{nodes:5}{rates[-1].per_minute:12.0f}{share:22.2f}{each_ms:22.2f}", flush=True)
    head_s = rates[-1].head_s / rates[-1].measured
    print(f"simulated, with {1e3 * head_s:.2f} ms of the head for each; no time left at {EACH_S / head_s:.0f} nodes")
    for nodes in SIMULATED:
        rate = simulated(nodes, each_s=EACH_S, head_s=head_s, seconds=60.0)
        print(f"{nodes:5}{rate:12.0f}{rate / (nodes * 60 / EACH_S):22.2f}")


def candidates_of(spec: PipelineSpec, count: int) -> dict[str, Candidate]:
    """Mutants, one of another."""
    parents = [Parent(parse_schedule("output.compute_root();", spec.funcs), 1.0)]
    found: dict[str, Candidate] = {}
    rng = np.random.default_rng(0)
    while len(found) < count:
        made = mutants(parents, spec, rng, wanted=200, known=found.__contains__)
        found |= made
        parents = [Parent(each.schedule, 1.0) for each in list(made.values())[:50]] or parents
    return dict(list(found.items())[:count])


def measured(nodes: int, spec: PipelineSpec, candidates: dict[str, Candidate], seconds: float, file: Path) -> Rate:
    """Measures for a while on so many nodes."""
    cluster = Cluster()
    try:
        for _ in range(nodes):
            cluster.add_node(num_cpus=1)
        ray.init(address=cluster.address, log_to_driver=False, logging_level=logging.ERROR)
        cluster.wait_for_nodes()
        opener = MadeUpOpener(seconds=EACH_S)
        with Head("auto", opener, MADE_UP, lambda _: None) as head, Store(file, progress=Silent(), wait_s=0) as store:
            store.add_pipeline(PipelineRecord.of(spec))
            history = History(spec, MADE_UP, store)
            with ClusterMachine(head, MADE_UP, MeasureOptions(threads=1)).session(spec, Inputs()) as session:
                session.ready()
                began_s, began_cpu_s = time.monotonic(), time.process_time()
                end_s = began_s + seconds
                count = sum(1 for _ in history.measure(session, candidates, best=None, end_s=end_s))
                return Rate(
                    nodes=nodes,
                    measured=count,
                    seconds=time.monotonic() - began_s,
                    head_s=time.process_time() - began_cpu_s,
                )
    finally:
        ray.shutdown()
        cluster.shutdown()


def simulated(nodes: int, *, each_s: float, head_s: float, seconds: float) -> float:
    """Measurements per minute, if one head takes so long for each, one after the other.

    A node has `DEPTH` schedules in hand; the head's answer to a measurement is another schedule.
    """
    rng = random.Random(0)
    in_hand = [DEPTH] * nodes
    events = [(rng.random() * each_s, node, True) for node in range(nodes)]  # when, where, and whether it is measured
    heapq.heapify(events)
    head_free_s, count = 0.0, 0
    while events[0][0] < seconds:
        at_s, node, is_measured = heapq.heappop(events)
        if is_measured:
            head_free_s = max(head_free_s, at_s) + head_s
            heapq.heappush(events, (head_free_s, node, False))
            in_hand[node] -= 1
            begins = in_hand[node] > 0
        else:
            count += 1
            in_hand[node] += 1
            begins = in_hand[node] == 1
        if begins:
            heapq.heappush(events, (at_s + each_s * (0.9 + 0.2 * rng.random()), node, True))
    return 60 * count / seconds


if __name__ == "__main__":
    main()
