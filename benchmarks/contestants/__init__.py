"""One module for each contestant; `benchmarks.serve` runs it in a process of its own."""
