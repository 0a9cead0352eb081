"""Rows as files and downloads, in constant memory."""

from reports.exports.csv import stream_csv, write_csv
from reports.exports.json import json_response, ndjson_response, stream_json, stream_ndjson, write_json, write_ndjson
from reports.exports.parquet import parquet_response, stream_parquet, write_parquet
from reports.exports.primitives import JSONForm
from reports.exports.responses import csv_response
from reports.exports.xlsx import stream_xlsx, write_xlsx, xlsx_response

__all__ = [
    "JSONForm",
    "csv_response",
    "json_response",
    "ndjson_response",
    "parquet_response",
    "stream_csv",
    "stream_json",
    "stream_ndjson",
    "stream_parquet",
    "stream_xlsx",
    "write_csv",
    "write_json",
    "write_ndjson",
    "write_parquet",
    "write_xlsx",
    "xlsx_response",
]
