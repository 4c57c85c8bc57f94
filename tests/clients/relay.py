# SPDX-License-Identifier: Apache-2.0
"""relay.py PORT TO -- passes connections to 127.0.0.1:PORT on to 127.0.0.1:TO. When it ends, so do they: then nobody is there."""
import asyncio
import sys


async def pump(reader, writer):
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    except ConnectionError:
        pass  # one side has gone: so does the other
    finally:
        writer.close()


async def main(port, to):
    async def passes(reader, writer):
        try:
            there, back = await asyncio.open_connection("127.0.0.1", to)
        except OSError:
            writer.close()
            return
        await asyncio.gather(pump(reader, back), pump(there, writer))

    server = await asyncio.start_server(passes, "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(*map(int, sys.argv[1:])))
