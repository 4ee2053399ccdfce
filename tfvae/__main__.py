"""`python -m tfvae` is `tfvae`."""

from tfvae.cli import app

app(prog_name="tfvae")
