"""`python -m tfvae` is `tfvae`."""

from tfvae.cli import app

if __name__ == "__main__":
    app(prog_name="tfvae")
