"""Lists in pages: ``?limit=`` and ``?cursor=``."""

import base64
import binascii
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

from fastapi import Depends, Query
from pydantic import WithJsonSchema
from sqlalchemy import Select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from syncline.api.errors import InvalidInput

DEFAULT_LIMIT = 100
MOST_ITEMS = 1000
_CURSOR_SCHEMA = {"type": "string", "pattern": "^[A-Za-z0-9_-]+$"}
_LIMIT_SCHEMA = {"type": "integer", "minimum": 1, "maximum": MOST_ITEMS}

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Page:
    """Which part of a list is asked for."""

    limit: int = DEFAULT_LIMIT
    after: str | None = None
    """The key of the last item of the page before."""


async def read_page(
    limit: Annotated[
        str | None, Query(description="Items in one page, 1 to 1000; 100 when absent."), WithJsonSchema(_LIMIT_SCHEMA)
    ] = None,
    cursor: Annotated[
        str | None, Query(description="`next_cursor` of the page before."), WithJsonSchema(_CURSOR_SCHEMA)
    ] = None,
) -> Page:
    """The page that the query parameters ask for.

    Raises:
        InvalidInput: `limit` is not a whole number from 1 to 1000, or `cursor` did not come from a page.
    """
    return Page(_read_limit(limit), _read_cursor(cursor))


RequestedPage = Annotated[Page, Depends(read_page)]
"""The type of an endpoint's parameter that receives the page."""


async def paginate(
    session: AsyncSession, statement: Select[T], key: InstrumentedAttribute[str], page: Page
) -> tuple[list[T], str | None]:
    """One page of a statement's entities in the order of a unique text column, and the cursor of the next page."""
    if page.after is not None:
        statement = statement.where(key > page.after)
    found = list(await session.scalars(statement.order_by(key).limit(page.limit + 1)))
    if len(found) <= page.limit:
        return found, None
    items = found[: page.limit]
    return items, make_cursor(str(getattr(items[-1], key.key)))


def paginate_list(keys: Sequence[str], page: Page) -> tuple[list[str], str | None]:
    """One page of sorted keys, and the cursor of the next page."""
    rest = [key for key in keys if page.after is None or key > page.after]
    items = rest[: page.limit]
    return items, make_cursor(items[-1]) if len(rest) > len(items) else None


def make_cursor(after: str) -> str:
    """The cursor of the page that follows the item with this key."""
    return base64.urlsafe_b64encode(json.dumps({"after": after}).encode()).decode().rstrip("=")


def _read_limit(text: str | None) -> int:
    if text is None:
        return DEFAULT_LIMIT
    if text.isascii() and text.isdigit() and len(text) <= 4 and 1 <= int(text) <= MOST_ITEMS:
        return int(text)
    raise InvalidInput(f"`limit` must be a whole number from 1 to {MOST_ITEMS} (got '{text[:40]}').")


def _read_cursor(text: str | None) -> str | None:
    if text is None:
        return None
    try:
        content: Any = json.loads(base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True))
    except (ValueError, binascii.Error, RecursionError):
        content = None
    after = content.get("after") if isinstance(content, dict) and content.keys() == {"after"} else None
    if not isinstance(after, str) or not after.isprintable() or len(after) > 1000:
        raise InvalidInput(
            f"`cursor` is not one that this server gave out (got '{text[:80]}'). Use `next_cursor` of the page before, "
            "or leave it out to start at the first page."
        )
    return after
