"""Adds samples for ever, and prints the number of each after it was added. Arguments: the store, the first sample."""

from __future__ import annotations

import sys
from pathlib import Path

from hltune.runtime.progress import Silent
from hltune.samples.writer import Store
from tests.samples.values import PIPELINE, sample


def main() -> None:
    number = int(sys.argv[2])
    with Store(Path(sys.argv[1]), progress=Silent(), wait_s=0) as store:
        store.add_pipeline(PIPELINE)
        while True:
            store.add(sample(number))
            print(number, flush=True)
            number += 1


if __name__ == "__main__":
    main()
