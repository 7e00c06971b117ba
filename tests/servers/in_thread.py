"""A real HTTP server in a thread of the test's own process, so that a test sees what it was asked."""

import asyncio
import threading
from collections import Counter

from aiohttp import web


class ThreadServer:
    """Serves routes on a free port until `stop`; `url` ends in /v1, as a client wants it."""

    def __init__(self, *routes):
        self._routes = routes
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        assert self._ready.wait(10)

    def _run(self):
        async def start():
            app = web.Application(client_max_size=64 << 20)
            app.add_routes(self._routes)
            self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
            await self._runner.setup()
            site = web.TCPSite(self._runner, "127.0.0.1", 0)
            await site.start()
            self.url = f"http://127.0.0.1:{site._server.sockets[0].getsockname()[1]}/v1"
            self._ready.set()

        self._loop.run_until_complete(start())
        self._loop.run_forever()

    def stop(self):
        asyncio.run_coroutine_threadsafe(self._runner.cleanup(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)


class ChatServer(ThreadServer):
    """Answers chat requests as `respond(body, n)` says, n being how often this content was asked for."""

    def __init__(self, respond):
        self.asked = Counter()
        self._respond = respond
        super().__init__(web.post("/v1/chat/completions", self._complete))

    async def _complete(self, request):
        body = await request.json()
        content = body["messages"][0]["content"]
        self.asked[content] += 1
        return await self._respond(body, self.asked[content])
