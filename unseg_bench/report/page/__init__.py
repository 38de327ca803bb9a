"""A comparison as one HTML file that opens offline: tables, figures, pictures of every case, provenance."""

from unseg_bench.report.page.write import write_page

__all__ = ["write_page"]
