"""A program on a terminal, and what stands on its screen."""

from __future__ import annotations

import codecs
import fcntl
import os
import pty
import re
import select
import signal
import struct
import termios
import time
from pathlib import Path
from typing import Callable, Mapping, Optional

from program import Argument, environment, program

CONTROL = re.compile(r"\033\[(\??[0-9;]*)([A-Za-z])")


class Screen:
    """The rows of a terminal, from the few control sequences that the program may use."""

    def __init__(self, rows: int, columns: int) -> None:
        self.rows, self.columns = rows, columns
        self.lines = [""] * rows
        self.row = self.column = 0
        self.wraps = True
        self.scrolled = 0  # lines that have left the screen at its top
        self.frames = 0  # times that everything below the cursor was cleared
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self._text = ""

    def resize(self, rows: int, columns: int) -> None:
        """As a terminal does it that cuts nothing: for more columns, or other rows."""
        assert columns >= self.columns
        lost = max(0, self.row - rows + 1)
        self.lines = (self.lines[lost:] + [""] * rows)[:rows]
        self.row -= lost
        self.rows, self.columns = rows, columns
        self.scrolled = 0

    def shown(self) -> list[str]:
        """Lines down to the last that is not blank."""
        lines = [line.rstrip() for line in self.lines]
        while lines and not lines[-1]:
            lines.pop()
        return lines

    def feed(self, data: bytes) -> None:
        """Takes in what the program writes."""
        self._text += self._decoder.decode(data)
        while self._text:
            if self._text[0] != "\033":
                self._put(self._text[0])
                self._text = self._text[1:]
                continue
            found = CONTROL.match(self._text)
            if found is None:
                assert len(self._text) < 16, f"unknown control sequence {self._text[:16]!r}"
                return  # the rest of it comes later
            self._control(found.group(1), found.group(2))
            self._text = self._text[found.end() :]

    def _put(self, letter: str) -> None:
        if letter == "\r":
            self.column = 0
        elif letter == "\n":
            self._next_row()
        else:
            assert letter >= " ", f"control character {letter!r}"
            if self.column == self.columns and self.wraps:
                self._next_row()
                self.column = 0
            self.column = min(self.column, self.columns - 1)
            line = self.lines[self.row].ljust(self.column)
            self.lines[self.row] = line[: self.column] + letter + line[self.column + 1 :]
            self.column += 1

    def _next_row(self) -> None:
        if self.row + 1 < self.rows:
            self.row += 1
            return
        self.lines = self.lines[1:] + [""]
        self.scrolled += 1

    def _control(self, values: str, kind: str) -> None:
        if kind == "A":
            self.row = max(0, self.row - int(values or 1))
        elif kind == "K" and values == "":
            self.lines[self.row] = self.lines[self.row][: self.column]
        elif kind == "J" and values == "":
            self.lines[self.row] = self.lines[self.row][: self.column]
            self.lines[self.row + 1 :] = [""] * (self.rows - self.row - 1)
            self.frames += 1
        elif kind in "hl" and values == "?7":
            self.wraps = kind == "h"
        else:
            assert kind == "m", f"unknown control sequence {values}{kind}"


class Terminal:
    """A program that runs on a terminal of its own."""

    def __init__(
        self,
        *arguments: Argument,
        folder: Path,
        rows: int,
        columns: int,
        more: Optional[Mapping[str, str]] = None,
    ) -> None:
        self.screen = Screen(rows, columns)
        command = [program(), *map(str, arguments)]
        variables = environment({"TERM": "xterm", **(more or {})})
        ready, go = os.pipe()
        self.process, self._descriptor = pty.fork()
        if self.process == 0:
            os.close(go)
            os.read(ready, 1)  # until the terminal has its size
            os.chdir(folder)
            os.execve(command[0], command, variables)
        os.close(ready)
        self._set_size()
        os.close(go)
        self.code: Optional[int] = None

    def _set_size(self) -> None:
        size = struct.pack("HHHH", self.screen.rows, self.screen.columns, 0, 0)
        fcntl.ioctl(self._descriptor, termios.TIOCSWINSZ, size)

    def resize(self, rows: int, columns: int) -> None:
        """Gives the terminal another size."""
        self.screen.resize(rows, columns)
        self._set_size()

    def press(self, keys: bytes) -> None:
        """What the user types."""
        os.write(self._descriptor, keys)

    def wait(self, what: Callable[[], bool], seconds: float = 120) -> bool:
        """Takes in what the program writes until something is so, or it has ended."""
        deadline = time.monotonic() + seconds
        while not what():
            if self.code is not None or time.monotonic() > deadline:
                return False
            if not select.select([self._descriptor], [], [], 0.1)[0]:
                continue
            try:
                data = os.read(self._descriptor, 1 << 16)
            except OSError:  # it has closed the terminal
                data = b""
            if data:
                self.screen.feed(data)
            else:
                _, status = os.waitpid(self.process, 0)
                self.code = os.waitstatus_to_exitcode(status)
        return True

    def end(self, seconds: float = 120) -> Optional[int]:
        """Its exit code once it has ended by itself, None where it does not."""
        self.wait(lambda: False, seconds)
        return self.code

    def close(self) -> None:
        """Ends the program where it still runs."""
        if self.code is None:
            os.kill(self.process, signal.SIGKILL)
            os.waitpid(self.process, 0)
            self.code = -signal.SIGKILL
        os.close(self._descriptor)
