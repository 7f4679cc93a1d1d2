"""What is shown while a model trains: plain lines on a pipe, a bar on a terminal."""

from __future__ import annotations

import dataclasses
import io
import math

import pytest
from rich.console import Console

from recurra.cli import bar
from recurra.cli.bar import Bar
from recurra.training import lines, words
from recurra.training.lines import Lines
from recurra.training.watch import Progress, Watcher


class Clock:
    """Seconds that pass when told to."""

    seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


# 2 nats: 2 / ln 2 = 2.8854 bits, e² = 7.39. 754 seconds: 12 minutes 34.
STATE = (
    "loss 2.0000 nats (2.8854 bits, perplexity 7.39), 12,345 pages/s, learning rate 0.004, "
    "gradient norm 0.75, 12% of steps clipped"
)
PLACE = "step 1,200, epoch 1.50, 25% done, 12:34 left"


def test_a_line_tells_every_figure_with_its_unit(progress: Progress) -> None:
    out = io.StringIO()
    Lines(out).stepped(progress)
    assert out.getvalue() == f"{PLACE}: {STATE}\n"


def test_lines_come_every_ten_seconds_however_many_the_steps(progress: Progress) -> None:
    out, clock = io.StringIO(), Clock()
    watcher = Lines(out, clock)
    for _ in range(3001):  # 300 seconds, ten steps each
        watcher.stepped(progress)
        clock.seconds += 0.1
    # one at the start and one in each ten seconds after it; 0.1 added up is a little under its sum
    assert out.getvalue().count("\n") in (30, 31)


def test_validations_samples_and_notes_are_lines_of_their_own(progress: Progress) -> None:
    out = io.StringIO()
    with Lines(out) as watcher:
        watcher.note("nothing is held out")
        watcher.validated(progress, {"nats_per_token_stateful": 2.0, "accuracy": 0.5}, True)
        watcher.validated(progress, {"accuracy": 0.25}, False)
        watcher.sampled(progress, "two\nlines")
        watcher.saved(progress)
    held_out = "nats_per_token_stateful 2.0000 nats (2.8854 bits, perplexity 7.39), accuracy 0.5000"
    assert out.getvalue().splitlines() == [
        "note: nothing is held out",
        f"held out at step 1,200: {held_out}, the best so far",
        "held out at step 1,200: accuracy 0.2500",
        "--- sample at step 1,200",
        "two",
        "lines",
        "---",
    ]


def terminal(columns: int = 100) -> Console:
    """A terminal that keeps what was printed on it."""
    return Console(file=io.StringIO(), force_terminal=True, width=columns, color_system=None)


def printed(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_the_bar_shows_every_figure_with_its_unit(progress: Progress) -> None:
    console = terminal()
    with Bar(console) as watcher:
        watcher.stepped(progress)
    shown = " ".join(printed(console).split())
    assert PLACE in shown
    assert STATE in shown


def test_the_bar_is_drawn_at_most_ten_times_a_second(
    progress: Progress, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, place = Clock(), words.place
    drawn: list[int] = []

    def counted(one: Progress) -> tuple[str, ...]:
        drawn.append(one.step)
        return place(one)

    monkeypatch.setattr(words, "place", counted)
    with Bar(terminal(), clock) as watcher:
        for step in range(10_000):  # ten seconds, a thousand steps each
            clock.seconds = step / 1000
            watcher.stepped(dataclasses.replace(progress, step=step))
        assert 10 <= len(drawn) <= 100
    assert drawn[-1] == 9_999  # the last state stays on the screen


def test_what_is_told_above_the_bar_is_not_read_as_markup(progress: Progress) -> None:
    console = terminal()
    with Bar(console) as watcher:
        watcher.note("cut to [bold]16[/bold] :smile:")
        watcher.validated(progress, {"f1[0]": 0.5}, True)
        watcher.sampled(progress, "x[/b] :smile: [red]y")
        watcher.saved(progress)
    shown = printed(console)
    assert "note: cut to [bold]16[/bold] :smile:" in shown
    assert "held out at step 1,200: f1[0] 0.5000, the best so far" in shown
    assert "sample at step 1,200" in shown
    assert "x[/b] :smile: [red]y" in shown


@pytest.mark.parametrize("columns", [30, 40, 57, 58, 59, 80, 120, 200])
def test_no_part_of_the_bar_is_broken_in_two_or_cut_however_narrow_the_terminal(
    progress: Progress, columns: int
) -> None:
    console = terminal(columns)
    with console.capture() as captured:
        console.print(bar._Panel(progress))
    shown = captured.get().splitlines()
    assert max(map(len, shown)) <= columns
    assert "…" not in captured.get()
    assert words.state(progress)[0] in " ".join(captured.get().split())
    for part in (*words.place(progress), *words.state(progress)[1:]):
        assert any(part in line for line in shown), part


HOSTILE = "a\x1b[2Jb\x07c\rd\x9b1me\x7f\tf\ng"
SHOWN = r"a\x1b[2Jb\x07c\x0dd\x9b1me\x7f"


def test_control_characters_are_spelled_out_but_for_tabs_and_newlines() -> None:
    assert words.harmless(HOSTILE) == SHOWN + "\tf\ng"
    assert words.harmless("é ☃ \u2028") == "é ☃ \u2028"


def test_no_control_character_of_a_sample_or_a_note_reaches_the_terminal(
    progress: Progress,
) -> None:
    out, console = io.StringIO(), terminal()
    with console.capture() as captured:
        Bar(console).sampled(progress, HOSTILE)
        Bar(console).note(HOSTILE)
    Lines(out).sampled(progress, HOSTILE)
    Lines(out).note(HOSTILE)
    for shown in (captured.get(), out.getvalue()):
        assert shown.count(SHOWN) == 2
        assert not set(shown) & set("\x1b\x07\r\x9b\x7f")


def test_both_are_watchers(progress: Progress) -> None:
    watchers: list[Watcher] = [Bar(terminal()), Lines(io.StringIO())]
    assert len(watchers) == 2
    assert lines.EVERY_SECONDS == 10.0


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.4, "0:00"), (7.0, "0:07"), (754.0, "12:34"), (11100.0, "3:05:00"), (math.inf, "?")],
)
def test_durations_read_as_clocks_do(seconds: float, text: str) -> None:
    assert words.duration(seconds) == text


def test_a_loss_that_is_not_finite_is_shown_as_it_is() -> None:
    assert words.loss(math.nan) == "nan nats"
    # 693.147 / ln 2 = 1000 bits
    assert words.loss(1000 * math.log(2)) == "693.1472 nats (1000.0000 bits, perplexity e^693)"


def test_bits_and_perplexity_are_told_once() -> None:
    # 2 nats are 2 / ln 2 = 2.8854 bits and a perplexity of e² = 7.39
    figures = {"nats_per_token_x": 2.0, "bits_per_token_x": 2.8854, "perplexity_x": 7.389}
    assert words.figures(figures) == ("nats_per_token_x 2.0000 nats (2.8854 bits, perplexity 7.39)")
    assert words.figures({"perplexity_y": 7.5}) == "perplexity_y 7.5000"


def test_a_long_reading_is_told_and_a_short_one_is_not() -> None:
    out, clock = io.StringIO(), Clock()
    watcher = Lines(out, clock)
    watcher.reading(1_000_000, 2_000_000)
    assert out.getvalue() == ""
    clock.seconds = 10.0
    watcher.reading(700_000_000, 2_000_000_000)
    assert out.getvalue() == "reading the text: 700 of 2,000 MB\n"
