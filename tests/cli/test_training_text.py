"""`sample --report`: the text that a run was trained on, where it is still what it was."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from recurra import store
from recurra.cli import main
from recurra.cli.training_text import training_text
from recurra.errors import DataError
from recurra.text import tokenizers
from recurra.text.files import describe
from tests.cli.fixed_model import TEXT

Refusal = Callable[..., str]


def test_the_report_is_measured_against_the_training_part(
    run: str, capsys: pytest.CaptureFixture[str]
) -> None:
    # drawn: eight newlines, of which no eight in a row were trained on; "report" comes last
    words = ["sample", run, "--length", "8", "--temperature", "0", "--report"]
    assert main([*words, "--json"]) == 0
    drawn, measured = map(json.loads, capsys.readouterr().out.splitlines())
    assert drawn["text"] == "\n" * 8
    assert measured["report"]["copied_characters_8"] == 0
    assert measured["report"]["characters"] == 8
    assert main(words) == 0
    assert "in the training text" in capsys.readouterr().out


def test_the_training_text_is_what_was_trained_on_and_no_more(run: str) -> None:
    tokenizer = tokenizers.fit("char", [TEXT])
    assert "".join(training_text(Path(run), tokenizer)) == TEXT[:60]


def test_a_training_text_that_changed_is_not_reported_on(run: str, refusal: Refusal) -> None:
    tokenizer = tokenizers.fit("char", [TEXT])
    (Path(run).parent / "text.txt").write_text("other\n")
    with pytest.raises(DataError) as caught:
        list(training_text(Path(run), tokenizer))
    assert str(caught.value) == (
        f"the text of {run} has changed since training: --report needs it as it was."
    )


def test_a_training_text_that_is_gone_is_named_as_the_runs_with_a_way_out(
    run: str, refusal: Refusal
) -> None:
    text = Path(run).parent / "text.txt"
    text.unlink()
    assert refusal("sample", run, "--length", "3", "--report") == (
        f"there is no file '{text}', which {run} was trained on. Put it back, or say where its "
        f"files are now: recurra resume {run} FILE …"
    )


def changed(run: str, **entries: Any) -> None:
    """Other entries in the run's record."""
    config = Path(run) / store.CONFIG
    config.write_text(json.dumps({**json.loads(config.read_text()), **entries}))


def recorded(run: str) -> dict[str, Any]:
    values: dict[str, Any] = json.loads((Path(run) / store.CONFIG).read_text())
    return values


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ("x", "config.data must be a table of settings, not str."),
        (None, "config.data must be a table of settings, not NoneType."),
        ({"encoding": 3}, "config.data.encoding must be str or none, not int."),
    ],
)
def test_a_report_of_a_run_with_damaged_settings_is_refused_in_one_line(
    run: str, refusal: Refusal, data: Any, message: str
) -> None:
    changed(run, config={**recorded(run)["config"], "data": data})
    assert refusal("sample", run, "--report") == f"{Path(run) / store.CONFIG}: {message}"


def test_the_training_text_is_its_files_in_their_order_held_out_ones_behind_them(run: str) -> None:
    tokenizer = tokenizers.fit("char", [TEXT])
    first, second = Path(run).parent / "text.txt", Path(run).parent / "more.txt"
    second.write_text("bbb\n")
    main, more = (dataclasses.asdict(describe(path)) for path in (first, second))
    changed(run, given=[str(first)], files=[main, more])  # the second was held out
    assert "".join(training_text(Path(run), tokenizer)) == TEXT[:60]
    for given, files in (
        ([second], [main, more]),  # the held-out text is not what was trained on
        ([second, first], [main, more]),
        ([first, first], [main, more]),
        ([first, second], [main]),
    ):
        changed(run, given=[str(path) for path in given], files=files)
        with pytest.raises(DataError, match="has changed since training"):
            training_text(Path(run), tokenizer)


def test_a_report_of_a_run_on_standard_input_says_what_to_do_before_it_draws(
    run: str, refusal: Refusal
) -> None:
    changed(run, given=["-"])
    assert refusal("sample", run, "--report") == (
        f"{run} was trained on standard input, which is not kept: --report needs the text. "
        "Leave --report out, or train on a file."
    )
