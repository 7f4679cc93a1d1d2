"""`README.md`: the model card of a run, from its record and its metrics; data by name alone."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from torch import nn

from recurra import runtime, store
from recurra.config import from_json, options, to_json
from recurra.naming import answering_command, writing_commands
from recurra.results import counted
from recurra.task import Task
from recurra.training.budget import longer
from recurra.training.records import Records

NAME = "README.md"


def write(
    folder: Path, record: store.RunRecord, task: Task, model: nn.Module, records: Records
) -> None:
    """Writes the card of the run as it stands; `records` of its metrics."""
    parts = [
        f"# {folder.resolve().name}",
        _model(record, task, model),
        _data(record),
        _result(records.result[-1], task.unit) if records.result else "",
        _evaluation(records.evaluation[-1]) if records.evaluation else "",
        _settings(record, task),
        _sample(records.sample[-1]) if records.sample else "",
        _use(record, task, records),
        _made(record),
    ]
    text = "\n\n".join(part for part in parts if part) + "\n"
    store.write_atomic(folder / NAME, text.encode())


def _model(record: store.RunRecord, task: Task, model: nn.Module) -> str:
    count = sum(parameter.numel() for parameter in model.parameters())
    network = to_json(from_json(task.Config, record.config).model)
    lines = [
        f"- task: {task.name}",
        f"- network: {', '.join(f'{name} {_shown(value)}' for name, value in network.items())}",
        f"- parameters: {count:,}",
        f"- seed: {record.seed}",
        *(f"- {name.replace('_', ' ')}: {_fact(value)}" for name, value in record.facts.items()),
    ]
    return "## Model\n\n" + "\n".join(lines)


def _fact(value: object) -> str:
    """A count with its thousands apart; a text in quotes, for it may be a line end."""
    return f"{value:,}" if isinstance(value, int) else repr(value)


def _data(record: store.RunRecord) -> str:
    rows = [
        f"| {_cell(item['name'])} | {item['bytes']:,} | `{item['sha256']}` |"
        for item in record.files
    ]
    if not rows:
        return ""
    return "## Data\n\n| file | bytes | SHA-256 |\n|---|---:|---|\n" + "\n".join(rows)


def _result(result: dict[str, Any], unit: str) -> str:
    lines = [
        f"- {counted(result['steps'], 'step')}, {result['epoch']:.2f} epochs, "
        f"{counted(result['tokens'], unit)}, "
        f"{result['seconds'] / 60:.1f} minutes; ended by: {result['reason']}",
        f"- the weights are those of step {result['best_step']:,}",
        *(f"- {name}: {value:z.4f}" for name, value in result["figures"].items()),
    ]
    return "## Result on the held-out part, while training\n\n" + "\n".join(lines)


def _evaluation(evaluation: dict[str, Any]) -> str:
    lines = [f"- {name}: {value:z.4f}" for name, value in evaluation["figures"].items()]
    size = counted(evaluation["tokens"], evaluation.get("unit", "token"))
    return f"## {evaluation['split'].capitalize()}, {size}\n\n" + "\n".join(lines)


def _settings(record: store.RunRecord, task: Task) -> str:
    usual = options(task.Config())
    chosen = options(from_json(task.Config, record.config))
    rows = [
        f"| {name} | {_cell(_shown(item.default))} | {_cell(_shown(usual[name].default))} |"
        for name, item in chosen.items()
        if item.default != usual[name].default and "file" not in name
    ]
    if not rows:
        return "## Settings\n\nThe task's defaults."
    return (
        "## Settings that are not the default\n\n| setting | here | default |\n|---|---|---|\n"
        + ("\n".join(rows))
    )


def _sample(sample: dict[str, Any]) -> str:
    text: str = sample["text"]
    fence = "```"
    while fence in text:
        fence += "`"
    return f"## A sample, after step {sample['step']:,}\n\n{fence}text\n{text}\n{fence}"


def _use(record: store.RunRecord, task: Task, records: Records) -> str:
    fields = [item.name for item in dataclasses.fields(task.Input)]
    writes = record.kind == runtime.KIND
    verbs = (
        writing_commands(".", record.facts, record.given)
        if writes
        else [answering_command(".", fields, record.facts)]
    )
    lines = [*verbs, "recurra evaluate ."]
    if records.result:
        training = from_json(task.Config, record.config).training
        ended = records.result[-1]
        lines.append(f"recurra resume . {longer(training, ended['steps'], ended['seconds'])}")
    return "## Use\n\nIn this folder:\n\n```\n" + "\n".join(lines) + "\n```"


def _made(record: store.RunRecord) -> str:
    machine = ", ".join(f"{name} {value}" for name, value in record.platform.items())
    return f"## Made by\n\n```\n{record.command}\n```\n\nRecurra {record.version}; {machine}."


def _shown(value: object) -> str:
    """A setting's value as the command line writes it."""
    return (
        "none"
        if value is None
        else {True: "yes", False: "no"}.get(value, str(value))
        if isinstance(value, bool)
        else str(value)
    )


def _cell(value: object) -> str:
    return str(value).replace("|", "\\|").replace("\n", " ")
