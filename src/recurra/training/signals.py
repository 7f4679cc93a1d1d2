"""Ctrl-C and SIGTERM: the first asks training to stop after its step, the second ends it."""

from __future__ import annotations

import signal
import socket
import threading
from types import FrameType, TracebackType
from typing import Any

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interrupt:
    """While the block runs, `asked` turns True at the first signal; the second raises.

    The second is a KeyboardInterrupt, whichever signal it is; one that comes while native code runs
    is raised when that returns. Python lets only the main thread handle signals: elsewhere this
    does nothing. The handlers from before come back at the end.
    """

    def __init__(self) -> None:
        self.asked = False
        self._before: dict[int, Any] = {}
        self._sockets: tuple[socket.socket, ...] = ()
        self._wakeup = -1

    def __enter__(self) -> Interrupt:
        if threading.current_thread() is threading.main_thread():
            self._sockets = read, write = socket.socketpair()
            read.setblocking(False)
            write.setblocking(False)
            self._wakeup = signal.set_wakeup_fd(write.fileno(), warn_on_full_buffer=False)
            self._before = {number: signal.signal(number, self._handle) for number in _SIGNALS}
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for number, handler in self._before.items():
            # None: a handler that was not installed from Python and cannot be put back.
            signal.signal(number, handler if handler is not None else signal.SIG_DFL)
        if self._sockets:
            signal.set_wakeup_fd(self._wakeup)
            for one in self._sockets:
                one.close()

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self._arrived() > 1 or self.asked:
            raise KeyboardInterrupt
        self.asked = True

    def _arrived(self) -> int:
        """How many signals came since the last call.

        Python handles those that come during one native call, which a step may be, as a single one;
        the byte that it writes at each is there nevertheless.
        """
        try:
            return sum(number in _SIGNALS for number in self._sockets[0].recv(4096))
        except BlockingIOError:  # another thread was interrupted, and its byte is not there yet
            return 1
