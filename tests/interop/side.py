"""A program of tests/peers beside a real stack: it says and is told lines."""
import asyncio


class Side:
    """The program, and the lines that it has said."""

    @classmethod
    async def start(cls, *command):
        self = cls()
        self.process = await asyncio.create_subprocess_exec(
            *command, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE)
        self.reader = asyncio.create_task(self._read())
        return self

    def __init__(self):
        self.lines = []
        self.changed = asyncio.Event()

    async def _read(self):
        while line := (await self.process.stdout.readline()).decode().rstrip("\n"):
            self.lines.append(line)
            self.changed.set()

    async def until(self, holds, limit=10):
        try:
            async with asyncio.timeout(limit):
                while not holds():
                    self.changed.clear()
                    await self.changed.wait()
        except TimeoutError:
            raise AssertionError(f"it never came; said: {self.lines}") from None

    def said(self, word):
        """The rest of the lines that begin with it."""
        return [line.removeprefix(word + " ") for line in self.lines if line.split(" ")[0] == word]

    def tell(self, *lines):
        self.process.stdin.write("".join(line + "\n" for line in lines).encode())

    async def stop(self, limit=10):
        self.tell("quit")
        await asyncio.wait_for(self.process.wait(), limit)
        await self.reader
        return self.process.returncode
