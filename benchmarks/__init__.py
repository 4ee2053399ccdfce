"""Benchmarks: what the library costs, against its peers on the same machine. `python -m benchmarks` runs them all."""
