"""`python -m benchmarks.memory SAMPLES EXAMPLES`: the peak memory of one `log_evidence`, as JSON."""

import json
import sys

from benchmarks.contestants.tfvae import model
from benchmarks.dataset import images
from benchmarks.serve import peak_rss
from benchmarks.works import named
from tfvae.evaluation import log_evidence

if __name__ == "__main__":
    samples, examples = map(int, sys.argv[1:])
    x = images(10000).astype("float32")  # of one size always: the data itself is no growth
    log_evidence(model(named("W4")), x[:examples], samples, progress=False)
    print(json.dumps({"peak_rss_mb": peak_rss()}))
