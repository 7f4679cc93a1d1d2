"""What the loop tells whoever watches it: the command line's bar, plain lines, or nobody."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from recurra.errors import RunError


@dataclass(frozen=True)
class Progress:
    """Where training stands after a step."""

    step: int
    share: float  # of the budget that is spent, 0 to 1
    epoch: float  # passes over the training part, with its fraction
    loss_nats: float  # nats a prediction of this step
    smooth_nats: float  # its running average, see meters.smooth
    learning_rate: float
    grad_norm: (
        float  # L2, before clipping; not finite where float16 overflowed and no step was made
    )
    clipped_share: float  # share of the steps so far whose gradient was cut, 0 to 1
    tokens_per_second: float  # predictions, over the last seconds
    unit: str  # what one of them is about: token, word, example
    eta_seconds: float  # until the budget is spent, at the speed so far


class Watcher(Protocol):
    """Told of what happens while a model trains; must not change anything."""

    def note(self, text: str) -> None:
        """Something the user should know, one line."""

    def reading(self, done: int, total: int) -> None:
        """While data are read and encoded: bytes done of all."""

    def stepped(self, progress: Progress) -> None:
        """After every optimizer step; must cost microseconds."""

    def validated(self, progress: Progress, figures: Mapping[str, float], best: bool) -> None:
        """After every validation; `best` where it is the best so far and was kept."""

    def sampled(self, progress: Progress, text: str) -> None:
        """After a sample was drawn from the model as it is."""

    def saved(self, progress: Progress) -> None:
        """After the resume file was committed."""


class Quiet:
    """Watches and says nothing."""

    def note(self, text: str) -> None: ...
    def reading(self, done: int, total: int) -> None: ...
    def stepped(self, progress: Progress) -> None: ...
    def validated(self, progress: Progress, figures: Mapping[str, float], best: bool) -> None: ...
    def sampled(self, progress: Progress, text: str) -> None: ...
    def saved(self, progress: Progress) -> None: ...


class Steady:
    """Passes all on to a watcher until that cannot write; then keeps the error and is silent.

    So that a full disk under a log, or a pipe that nobody reads, ends training between two steps
    and with a save, as Ctrl-C does.
    """

    def __init__(self, watcher: Watcher) -> None:
        self._watcher = watcher
        self.error: OSError | UnicodeEncodeError | None = None

    def note(self, text: str) -> None:
        self._tell(self._watcher.note, text)

    def reading(self, done: int, total: int) -> None:
        self._tell(self._watcher.reading, done, total)

    def stepped(self, progress: Progress) -> None:
        self._tell(self._watcher.stepped, progress)

    def validated(self, progress: Progress, figures: Mapping[str, float], best: bool) -> None:
        self._tell(self._watcher.validated, progress, figures, best)

    def sampled(self, progress: Progress, text: str) -> None:
        self._tell(self._watcher.sampled, progress, text)

    def saved(self, progress: Progress) -> None:
        self._tell(self._watcher.saved, progress)

    def check(self, folder: Path) -> None:
        """Nothing where all was told; else, with the run saved in `folder`, what went wrong.

        A BrokenPipeError as it is, another error as a RunError.
        """
        if isinstance(self.error, BrokenPipeError):
            raise self.error
        if self.error is not None:
            why = getattr(self.error, "strerror", None) or self.error
            raise RunError(
                f"cannot write the progress output: {why}; the run is saved in {folder}; "
                f"go on with recurra resume {folder}"
            ) from self.error

    def _tell(self, tell: Callable[..., None], *what: object) -> None:
        if self.error is not None:
            return
        try:
            tell(*what)
        except (OSError, UnicodeEncodeError) as error:
            self.error = error
