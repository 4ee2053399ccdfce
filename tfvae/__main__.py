"""`python -m tfvae` is `tfvae`."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # as in tfvae/__init__.py, which does not know this way in

from tfvae.cli import app

if __name__ == "__main__":
    app(prog_name="tfvae")
