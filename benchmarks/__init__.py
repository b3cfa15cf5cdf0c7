"""Our own benchmarks: raw limits of Redis, taskpy, and the others, side by side in one run. See README.md."""
