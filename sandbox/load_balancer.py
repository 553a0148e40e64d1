"""What stands before several servers: each connection goes to the next one that takes it.

    python -m sandbox.load_balancer PORT PORT_OF_A_SERVER...

All on 127.0.0.1. A server that is gone refuses its connections at once, so none is asked for its health.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections import deque

from sandbox.ports import LOOPBACK

_CHUNK = 65536


async def _serve(port: int, servers: deque[int]) -> None:
    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.closing(writer):
            for _ in range(len(servers)):
                servers.rotate(-1)
                with contextlib.suppress(OSError):
                    there, to_there = await asyncio.open_connection(LOOPBACK, servers[0])
                    await asyncio.gather(_pass_on(reader, to_there), _pass_on(there, writer))
                    return

    async with await asyncio.start_server(connected, LOOPBACK, port) as server:
        await server.serve_forever()


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Until one side ends the connection."""
    with contextlib.closing(writer), contextlib.suppress(ConnectionError):
        while data := await reader.read(_CHUNK):
            writer.write(data)
            await writer.drain()


if __name__ == "__main__":
    own, *others = (int(argument) for argument in sys.argv[1:])
    asyncio.run(_serve(own, deque(others)))
