"""`tfvae zoo`."""

import typer


def zoo_command() -> None:
    """List the models, with year, authors and link."""
    from tfvae import zoo

    for name in zoo.__all__:
        citation = getattr(zoo, name).citation
        typer.echo(f"{name:16} {citation.year}  {citation.authors}, {citation.title}  {citation.url}")
