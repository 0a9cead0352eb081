"""Rows as files and downloads, in constant memory."""

from reports.exports.csv import stream_csv, write_csv
from reports.exports.responses import csv_response

__all__ = ["csv_response", "stream_csv", "write_csv"]
