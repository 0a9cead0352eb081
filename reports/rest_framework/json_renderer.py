"""Rows that are JSON texts already, and the renderer that sends them as they are."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, overload
from uuid import uuid4

from rest_framework.renderers import JSONRenderer
from rest_framework.utils.encoders import JSONEncoder


class RowsJSON(Sequence[Any]):
    """A list of rows, each of which is a JSON text until somebody looks at it."""

    def __init__(self, texts: list[str]) -> None:
        self._texts = texts

    @overload
    def __getitem__(self, index: int) -> Any: ...
    @overload
    def __getitem__(self, index: slice) -> list[Any]: ...
    def __getitem__(self, index: int | slice) -> Any:
        if isinstance(index, slice):
            return [json.loads(text) for text in self._texts[index]]
        return json.loads(self._texts[index])

    def __iter__(self) -> Iterator[Any]:
        return map(json.loads, self._texts)

    def __len__(self) -> int:
        return len(self._texts)

    def __eq__(self, other: object) -> bool:
        return list(self) == list(other) if isinstance(other, (list, RowsJSON)) else NotImplemented

    __hash__ = None  # type: ignore[assignment]  # as a list

    def __repr__(self) -> str:
        return repr(list(self))

    def text(self) -> str:
        """Return the JSON array."""
        return f"[{','.join(self._texts)}]"


class RowsEncoder(JSONEncoder):
    """Django REST Framework's encoder, which writes a placeholder for rows that are JSON already."""

    def __init__(self, *args: Any, built: dict[str, RowsJSON] | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._built = built

    def default(self, obj: Any) -> Any:
        if not isinstance(obj, RowsJSON):
            return super().default(obj)
        if self._built is None:
            return list(obj)
        self._built[token := uuid4().hex] = obj
        return token


class ReportJSONRenderer(JSONRenderer):
    """JSON, in which rows that PostgreSQL has built are put as they came."""

    encoder_class: Callable[..., RowsEncoder] = RowsEncoder

    def render(
        self, data: Any, accepted_media_type: str | None = None, renderer_context: Mapping[str, Any] | None = None
    ) -> bytes:
        built: dict[str, RowsJSON] = {}
        is_indented = self.get_indent(accepted_media_type or "", renderer_context or {}) is not None
        self.encoder_class = partial(type(self).encoder_class, built=None if is_indented else built)
        text: bytes = super().render(data, accepted_media_type, renderer_context)
        for token, rows in built.items():
            before, _, after = text.partition(f'"{token}"'.encode())
            text = b"".join((before, rows.text().encode(), after))
        return text
