"""`sample` and `score`: what a language model writes, and what it makes of a text. No torch."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, TypeAlias

from recurra.cli.flags import flag, switch
from recurra.cli.inputs import refuse_files, stdin_text
from recurra.cli.training_text import training_names, training_text
from recurra.decoding.beam import WIDEST
from recurra.errors import ConfigError, DataError
from recurra.results import Sample, Score
from recurra.runtime import LanguageModel, novelty, sampling, scoring
from recurra.runtime import report as reporting
from recurra.training.words import as_json, harmless, shown

Report: TypeAlias = reporting.SampleReport | novelty.NoveltyReport
Folder = Annotated[str, flag("the run folder of a language model")]
Context = Annotated[
    str | None,
    flag(
        "what stands before the first symbol where nothing else does, itself not counted; "
        "a newline, or the most frequent symbol where there is none",
        free=True,
    ),
]
Label = Annotated[
    str | None, flag("of which class, where the run has classes: the name of one", free=True)
]
Int8 = Annotated[
    bool,
    switch("weights rounded to 8 bits: faster where they are many, a little less exact"),
]
AsJson = Annotated[bool, switch("JSON instead, one object a line", name="--json")]


def sample(
    run: Folder,
    /,
    *,
    prompt: Annotated[str, flag("what the text begins with; any text", free=True)] = "",
    length: Annotated[
        int | None, flag("symbols to draw [default: 200; of a name, all up to its end]")
    ] = None,
    temperature: Annotated[
        float, flag("below 1 safer, above 1 wilder, 0 always the likeliest")
    ] = 1.0,
    top_k: Annotated[int | None, flag("draw from the k likeliest symbols only")] = None,
    top_p: Annotated[
        float | None, flag("draw from the fewest symbols whose probabilities reach p")
    ] = None,
    stop: Annotated[
        tuple[str, ...], flag("end where this text appears; may be given again", free=True)
    ] = (),
    seed: Annotated[int, flag("the same seed draws the same text, every time")] = 0,
    count: Annotated[int, flag("how many texts, each with a stream of its own")] = 1,
    context: Context = None,
    label: Label = None,
    beam: Annotated[
        int | None,
        flag("search with so many beams instead of drawing: likelier text, but it repeats more"),
    ] = None,
    report: Annotated[
        bool,
        switch("also measure it against the training text: memorised, known words, new names"),
    ] = False,
    int8: Int8 = False,
    json_: AsJson = False,
) -> int:
    """Writes text with a language model."""
    if beam is not None:
        drawing = {"temperature": temperature != 1.0, "top_k": top_k is not None}
        drawing |= {"top_p": top_p is not None, "stop": bool(stop), "seed": seed != 0}
        _check_beam(beam, count, [name for name, given in drawing.items() if given])
    model = LanguageModel.open(Path(run), int8=int8)
    measure = _measure(Path(run), model) if report else None
    placed: dict[str, Any] = {"length": length, "context": context, "label": label}
    asked: dict[str, Any] = {"temperature": temperature, "top_k": top_k, "top_p": top_p}
    asked |= {"stop": stop, "seed": seed, **placed}
    if beam is None and count == 1 and not json_:
        samples = [_stream(model, prompt, asked)]
    elif beam is None:
        samples = sampling.sample(model, prompt, count=count, **asked)
    else:
        found = sampling.beam(model, prompt, width=beam, **placed)
        samples = found[:count]
    for number, one in enumerate(samples, start=1):
        if json_:
            print(as_json(one.json()))
            continue
        if count > 1 and model.stop is None:
            print(f"--- {number} of {len(samples)}, {one.nats:.1f} nats")
        if count > 1 or beam is not None:
            print(_bold(prompt) + shown(one.text))
    _say_notes(samples)
    if measure is not None:
        measured = measure(samples)
        print(as_json({"report": measured.json()}) if json_ else f"---\n{measured}")
    return 0


def score(
    run: Folder,
    /,
    *text: Annotated[str, flag("texts to score; - reads one from standard input")],
    context: Context = None,
    label: Label = None,
    int8: Int8 = False,
    per_token: Annotated[bool, switch("also a table of what each token costs")] = False,
    json_: AsJson = False,
) -> int:
    """Says how likely texts are to a language model; several are ranked, the likeliest first."""
    if not text:
        raise ConfigError("score needs a TEXT, or - to read one from standard input.")
    if text.count("-") > 1:
        raise ConfigError("- was given twice: standard input holds one text.")
    model = LanguageModel.open(Path(run), int8=int8)
    refuse_files(text, "- < FILE to score what is in it")
    texts = [_read(model.stop) if each == "-" else each for each in text]
    scores = [scoring.score(model, each, context, label) for each in texts]
    scores.sort(key=lambda one: one.nats_per_token)
    if json_:
        for one in scores:
            print(as_json(one.json()))
        return 0
    if len(scores) > 1:
        print("likeliest first, by nats a token")
    for one in scores:
        print(shown(str(one)))
        if per_token:
            _print_tokens(one)
    ends = "" if model.stop is None else f"; its end {model.stop!r} is counted"
    print(f"(each starts after {scores[0].context!r}, itself not counted{ends})")
    return 0


def _measure(folder: Path, model: LanguageModel) -> Callable[[Sequence[Sample]], Report]:
    """What compares samples with what was trained on, which is found and checked now."""
    if model.stop is not None:
        names = training_names(folder)
        return lambda samples: novelty.report([str(one) for one in samples], names)
    text = training_text(folder, model.tokenizer)
    return lambda samples: reporting.report([one.text for one in samples], text)


def _print_tokens(score: Score) -> None:
    print("  nats     token")
    for token, nats in zip(score.tokens, score.nats, strict=True):
        print(f"  {nats:7.4f}  {token!r}")


def _read(stop: str | None) -> str:
    """All of standard input; without the line end behind it where a line is what is scored."""
    text = stdin_text()
    if stop == "\n":
        text = text.removesuffix("\n").removesuffix("\r")
    if not text:
        raise DataError("standard input is empty: there is no text to score.")
    return text


def _check_beam(beam: int, count: int, drawing: Sequence[str]) -> None:
    """ConfigError for a search that cannot be; `drawing`: the flags given that only drawing has."""
    for name in drawing:
        flag_name = name.replace("_", "-")
        raise ConfigError(f"--beam searches and draws nothing: leave out --{flag_name}.")
    if not 1 <= beam <= WIDEST:
        raise ConfigError(f"--beam {beam}: a search has 1 to {WIDEST:,} beams.")
    if not 1 <= count <= beam:
        raise ConfigError(
            f"--count {count}: a search with --beam {beam} finds {beam}, of which 1 to {beam} are "
            "shown, the likeliest first."
        )


def _say_notes(samples: Sequence[Sample]) -> None:
    """What a user should know of the samples; on stderr, since stdout is text."""
    for note in dict.fromkeys(note for one in samples for note in one.notes):
        print(f"note: {note}", file=sys.stderr)


def _stream(model: LanguageModel, prompt: str, asked: Mapping[str, Any]) -> Sample:
    """One sample, written piece by piece as it is drawn, after the prompt."""
    pieces = sampling.stream(model, prompt, **asked)
    print(_bold(prompt), end="", flush=True)
    drawn = []
    for piece in pieces:
        print(shown(piece), end="", flush=True)
        drawn.append(piece)
    print()
    # what there is to say of the prompt; nothing more is drawn for it
    (start,) = sampling.sample(
        model, prompt, length=0, context=asked["context"], label=asked["label"]
    )
    return dataclasses.replace(start, text="".join(drawn), seed=asked["seed"])


def _bold(prompt: str) -> str:
    """The prompt, bold on a terminal."""
    return f"\x1b[1m{harmless(prompt)}\x1b[0m" if prompt and sys.stdout.isatty() else prompt
