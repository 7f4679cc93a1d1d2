"""The examples below every verb's help; `{task}` stands for the task whose help it is.

Those with a task's own data and flags stand in its folder.
"""

from __future__ import annotations

EXAMPLES: dict[str, tuple[str, ...]] = {
    "recurra": (
        "recurra list tasks",
        "recurra train TASK input.txt --minutes 3",
        "recurra sample runs/TASK-input --length 300 --temperature 0.8",
        'recurra score runs/TASK-input "the cat is small" "small the is cat"',
    ),
    "train": (
        "recurra train TASK                         # built-in data",
        "recurra train TASK --help                  # every setting of that task",
        "recurra train --config recipes/some.toml   # all of it from a recipe",
    ),
    "train TASK": (
        "recurra train {task}                           # on built-in data",
        "recurra train {task} --hidden-size 512 --steps 5000 --seed 1 --out runs/mine",
        "recurra train {task} FILE --from runs/mine     # start from its weights",
        "recurra train {task} --clip-norm none          # none: without it",
    ),
    "resume": (
        "recurra resume runs/mine                  # after Ctrl-C or a power cut",
        "recurra resume runs/mine --steps 20000    # train on, to 20,000 steps in all",
        "recurra resume runs/mine new/a.txt --valid-file new/b.txt   # moved files",
    ),
    "evaluate": (
        "recurra evaluate runs/mine                # on the part that was held out",
        "recurra evaluate runs/mine other.txt --json",
        "recurra evaluate runs/mine --help         # what else its task may be asked",
    ),
    "sample": (
        'recurra sample runs/mine --prompt "ROMEO:" --length 500 --temperature 0.8',
        "recurra sample runs/mine --count 3 --top-p 0.95 --seed 7 --json",
        'recurra sample runs/mine --prompt "The " --stop . --stop "!"',
        "recurra sample runs/mine --length 1000 --report",
        "recurra sample runs/mine --beam 10             # the likeliest texts",
        "recurra sample runs/names --label Scottish     # of a class",
    ),
    "score": (
        'recurra score runs/mine "the cat is small" "small the is cat"',
        'recurra score runs/mine "the cat" --per-token',
        "recurra score runs/mine - < letter.txt",
    ),
    "predict": (
        'recurra predict runs/mine "an input"',
        "recurra predict runs/mine --file inputs.jsonl --json",
        "recurra predict runs/mine - < lines.txt",
        "recurra predict runs/mine --help          # what else its task may be asked",
    ),
    "bench": (
        "recurra bench layers --threads 2",
        'recurra bench layers --only "train LSTM" --seconds 20 --json',
        "recurra bench layers --random 40      # and the lowest ratios among them",
        "recurra bench training --record training.json",
        "recurra bench sampling --only int8",
    ),
    "list": ("recurra list tasks", "recurra list cells --json"),
    "doctor": ("recurra doctor", "recurra doctor --json"),
}


def below(key: str, task: str = "", more: tuple[str, ...] = ()) -> str:
    """The examples of a verb, and `more`, as the text below its help."""
    lines = (f"  {line.replace('{task}', task)}" for line in (*EXAMPLES[key], *more))
    return "\n".join(["Examples:", *lines])
