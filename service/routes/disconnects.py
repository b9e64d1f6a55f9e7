"""Callers who hang up before they are answered."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from fastapi import Request
from starlette.requests import ClientDisconnect

T = TypeVar("T")


async def unless_gone(request: Request, answer: Coroutine[Any, Any, T]) -> T:
    """The answer, or ClientDisconnect; work for a caller who has hung up is cancelled. The body must have been read."""
    try:
        async with asyncio.timeout(None) as patience:
            gone = asyncio.create_task(_end_when_gone(request, patience))
            try:
                return await answer
            finally:
                gone.cancel()
    except TimeoutError:
        if patience.expired():
            raise ClientDisconnect from None
        raise


async def _end_when_gone(request: Request, patience: asyncio.Timeout) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
    patience.reschedule(asyncio.get_running_loop().time())
