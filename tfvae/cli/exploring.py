"""`tfvae explore`."""

from pathlib import Path
from typing import Annotated

import typer

from tfvae.cli.inputs import DataDirOption, DataOption, RuntimeOption, fail, write_page


def explore_command(
    path: Annotated[Path, typer.Argument(help="A run's folder, a .keras file, or a page that was written already.")],
    data: DataOption = None,
    data_dir: DataDirOption = None,
    runtime: RuntimeOption = None,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Where to serve; default: a free port.")] = 0,
    browser: Annotated[bool, typer.Option(help="Open the page in the browser.")] = True,
) -> None:
    """Show a model in the browser: its latent space, drawings, samples. Serves on this machine alone until Ctrl-C."""
    import tempfile
    import webbrowser

    from tfvae.browser import is_page, serve

    def ready(address: str) -> None:
        typer.echo(f"{address}  (Ctrl-C ends)")
        if browser:
            webbrowser.open(address)

    with tempfile.TemporaryDirectory() as scratch:
        page = path if is_page(path) else Path(scratch, "page")
        if page != path:
            write_page(path, page, data, data_dir, runtime)
        try:
            serve(page, port, ready)
        except OSError as error:
            fail(error)
