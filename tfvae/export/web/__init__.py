"""The page in the browser: what is fixed for it, what it has to know, and the runtime that it brings."""

from tfvae.export.web.writing import web_page

__all__ = ["web_page"]
