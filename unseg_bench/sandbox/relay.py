"""Shows on stderr what a sealed process and its programs print, and remembers the last lines of it."""

import os
import select
import sys
import threading
import time

_READ_AT_ONCE, _LAST_CHARACTERS, _SECONDS_TO_CATCH_UP = 1 << 16, 300, 2.0
_HARMLESS = {"\n", "\r", "\t"}


class Relay:
    """Reads one end of a pipe in a thread of its own until everybody at the other end is gone."""

    def __init__(self, pipe: int) -> None:
        self._pipe, self._last = pipe, ""
        self._reading = threading.Lock()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def last_words(self) -> str:
        """Return the end of what was printed so far, on one line; at most 300 characters, '' where nothing was."""
        until = time.monotonic() + _SECONDS_TO_CATCH_UP
        while time.monotonic() < until:
            with self._reading:
                if not self._thread.is_alive() or not self._wait(0):
                    break
            time.sleep(0.005)
        return " | ".join(line.strip() for line in self._last.splitlines() if line.strip())

    def end(self) -> None:
        """Close the pipe, once nobody prints any more."""
        self._thread.join(timeout=1)
        if not self._thread.is_alive() and self._pipe >= 0:
            os.close(self._pipe)
            self._pipe = -1

    def _wait(self, milliseconds: int | None) -> bool:
        """Wait until there is something to read, or the end; whether there is."""
        waiting = select.poll()
        waiting.register(self._pipe, select.POLLIN)
        return bool(waiting.poll(milliseconds))

    def _run(self) -> None:
        while True:
            self._wait(None)
            with self._reading:
                printed = os.read(self._pipe, _READ_AT_ONCE)
                if not printed:
                    return
                text = printable(printed.decode(errors="replace"))
                self._last = (self._last + text)[-_LAST_CHARACTERS:]
            sys.stderr.write(text)


def printable(text: str) -> str:
    """Return a text with the codes that would steer a terminal shown as text, line ends and tabs kept."""
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() or one in _HARMLESS else ascii(one)[1:-1] for one in text)
