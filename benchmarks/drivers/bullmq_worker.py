"""A BullMQ worker's process: `python -m benchmarks.drivers.bullmq_worker`."""

import uvloop

from benchmarks.drivers.bullmq import work

if __name__ == "__main__":
    uvloop.run(work())
