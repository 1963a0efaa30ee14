"""The worker's process, where the contender has no command of its own: ``python -m benchmarks.queues.work MODULE``."""

import sys
from importlib import import_module

if __name__ == "__main__":
    import_module(f"benchmarks.queues.contenders.{sys.argv[1]}").work()
