"""An exported page on this machine: which folder holds one, and a server for it that needs no TensorFlow."""

import sys
import threading
from collections.abc import Callable
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

_MARKS = ("index.html", "page.json")


def is_page(folder: Path) -> bool:
    """Tell whether a folder holds a page that `tfvae.export.web_page` wrote."""
    return all((folder / name).is_file() for name in _MARKS)


class Handler(SimpleHTTPRequestHandler):
    """Says of each file what a browser has to know to run it, and does not log every request."""

    # Named here, because the types of a system's own table may be wrong, and a browser then refuses the file.
    extensions_map: dict[str, str] = {  # noqa: RUF012
        "": "application/octet-stream",
        ".css": "text/css; charset=utf-8",
        ".html": "text/html; charset=utf-8",
        ".js": "text/javascript; charset=utf-8",
        ".json": "application/json",
        ".svg": "image/svg+xml",
        ".txt": "text/plain; charset=utf-8",
        ".wasm": "application/wasm",
    }

    def end_headers(self) -> None:
        """Let the browser ask each time: another page may be at this address the next time."""
        self.send_header("Cache-Control", "no-cache")
        super().end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


class Server(ThreadingHTTPServer):
    """Listens on the loopback address, where only this machine can ask."""

    daemon_threads = True

    def __init__(self, folder: str | Path, port: int = 0):
        super().__init__(("127.0.0.1", port), partial(Handler, directory=str(folder)))
        self.address = f"http://127.0.0.1:{self.server_port}/"

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of a browser that left before it had the whole file."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]


def serve(folder: str | Path, port: int = 0, ready: Callable[[str], object] = print) -> None:
    """Serve the files of a folder on the loopback address until Ctrl-C.

    Args:
        folder: with a page, or any other static files.
        port: where to listen; a free one if 0.
        ready: told the address once it answers, such as `webbrowser.open`.

    Raises:
        OSError: if the port is taken.

    Example:
        >>> from tfvae.browser import serve
        >>> serve("page", ready=print)  # doctest: +SKIP
        http://127.0.0.1:40123/
    """
    with Server(folder, port) as server:
        # Aside, because a browser in the terminal returns only when it is left.
        threading.Thread(target=ready, args=(server.address,), daemon=True).start()
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            return
