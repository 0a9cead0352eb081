"""The formats in which all rows of a report can be downloaded, as renderers: chosen by ``Accept`` or ``?format=``."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

from django.db.models import QuerySet
from django.http import StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.utils.http import content_disposition_header
from rest_framework.renderers import BaseRenderer

from reports.exports import parquet, xlsx
from reports.exports.csv import stream_csv
from reports.exports.json import LINES_TYPE, stream_json, stream_ndjson
from reports.exports.responses import CSV_TYPE, StreamResponse, file_name
from reports.exports.streams import ByteStream
from reports.rest_framework.serializers import json_form

OnError = Callable[[Exception], HttpResponseBase]


class DownloadRenderer(BaseRenderer):
    """A format of downloads. It renders no data: the view asks it for a response that sends rows as they are read."""

    charset = None
    render_style = "binary"
    # Where these differ from the media type and the format.
    content_type = extension = ""

    def stream(self, rows: QuerySet[Any]) -> ByteStream:
        """Return the rows in this format."""
        raise NotImplementedError

    def respond(self, rows: QuerySet[Any], filename: str, on_error: OnError) -> HttpResponseBase:
        """Return the download; ``on_error`` makes the response of an error before the first bytes."""
        content_type = self.content_type or str(self.media_type)
        return StreamResponse(self.stream(rows), filename=filename, content_type=content_type, on_error=on_error)

    def head(self, filename: str) -> HttpResponseBase:
        """Return the answer to HEAD: no row is read for it, and its length is not known."""
        headers = {"Content-Disposition": content_disposition_header(True, filename)}
        return StreamingHttpResponse((), content_type=self.content_type or str(self.media_type), headers=headers)

    def filename(self, rows: QuerySet[Any]) -> str:
        """Return the file's name: that of the report."""
        return file_name(rows, self.extension or str(self.format))


class CSVRenderer(DownloadRenderer):
    """CSV, safe for spreadsheets."""

    media_type = "text/csv"
    format = "csv"
    content_type = CSV_TYPE

    def stream(self, rows: QuerySet[Any]) -> ByteStream:
        return stream_csv(rows)


class NDJSONRenderer(DownloadRenderer):
    """JSON, a row on each line."""

    media_type = LINES_TYPE
    format = "ndjson"

    def stream(self, rows: QuerySet[Any]) -> ByteStream:
        return stream_ndjson(rows, form=json_form())


class JSONArrayRenderer(DownloadRenderer):
    """All rows as one JSON array. Its media type is its own, since ``application/json`` is a page."""

    media_type = "application/vnd.reports.rows+json"
    format = "json-array"
    extension = "json"

    def stream(self, rows: QuerySet[Any]) -> ByteStream:
        return stream_json(rows, form=json_form())


class ParquetRenderer(DownloadRenderer):
    """Parquet, with the columns' types. Needs the extra ``parquet``."""

    media_type = parquet.CONTENT_TYPE
    format = "parquet"

    def stream(self, rows: QuerySet[Any]) -> ByteStream:
        return parquet.stream_parquet(rows)


class XLSXRenderer(DownloadRenderer):
    """A workbook, up to ``XLSX_ROWS`` rows. Needs the extra ``xlsx``."""

    media_type = xlsx.CONTENT_TYPE
    format = "xlsx"

    def respond(self, rows: QuerySet[Any], filename: str, on_error: OnError) -> HttpResponseBase:
        return xlsx.xlsx_response(rows, filename, on_error=on_error)


def installed() -> list[type[DownloadRenderer]]:
    """Return the renderers whose libraries are installed."""
    renderers: list[type[DownloadRenderer]] = [CSVRenderer, NDJSONRenderer, JSONArrayRenderer]
    if find_spec("xlsxwriter"):
        renderers.append(XLSXRenderer)
    if find_spec("pyarrow"):
        renderers.append(ParquetRenderer)
    return renderers
