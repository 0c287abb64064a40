"""``python -m hltune.runtime.worker``: what a worker's process runs."""

import sys

from hltune.runtime.worker.child import main

main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3])
