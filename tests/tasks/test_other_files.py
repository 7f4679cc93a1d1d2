"""Files that are given to a trained run: of every task, what an error advises can be done."""

from __future__ import annotations

from pathlib import Path

import pytest

import recurra
from recurra import registry
from recurra.errors import ConfigError, DataError
from recurra.training.watch import Quiet
from tests.tasks.small import written


@pytest.mark.parametrize("task", registry.names("tasks"))
@pytest.mark.parametrize("content", [b"caf\xe9 X\n", b"a\0b\n"], ids=["latin-1", "binary"])
def test_no_flag_of_training_is_advised_where_a_trained_run_reads_a_file(
    task: str, content: bytes, tmp_path: Path
) -> None:
    run = recurra.train(task, out=tmp_path / "run", steps=1, device="cpu")
    given = tmp_path / "new.csv"
    given.write_bytes(content)
    with pytest.raises(DataError, match=r"new\.csv is (not UTF-8|binary)") as caught:
        run.evaluate(given)
    assert "--" not in str(caught.value)


@pytest.mark.parametrize("task", registry.names("tasks"))
def test_files_and_a_part_of_the_runs_own_are_not_evaluated_at_once(
    task: str, tmp_path: Path
) -> None:
    run = recurra.train(task, out=tmp_path / "run", steps=1, device="cpu")
    with pytest.raises(ConfigError, match="split = 'valid': is a part of the run's own data"):
        run.evaluate("new.csv", split="valid")


def test_a_column_that_is_not_there_is_named_with_those_that_are(tmp_path: Path) -> None:
    run = recurra.train("classify", out=tmp_path / "run", steps=1, device="cpu")
    given = tmp_path / "new.csv"
    given.write_text("review,label\ngood,yes\n")
    with pytest.raises(DataError) as caught:
        run.evaluate(given)
    assert str(caught.value) == (
        f"{given} has no column 'text'. It has: review, label. "
        "A run reads files as it read its own data: convert this one."
    )


def test_held_out_files_of_a_file_a_class_are_the_classes_of_the_training_files(
    tmp_path: Path,
) -> None:
    def of_a_class(name: str) -> Path:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        return written(tmp_path / name, "".join(f"{name} {number}\n" for number in range(4)))

    main = [of_a_class("rt.neg"), of_a_class("rt.pos")]
    test = [of_a_class("test/x.neg"), of_a_class("test/y.pos")][0].parent
    run = recurra.train(
        "classify", *main, out=tmp_path / "run", steps=1, device="cpu",
        valid_file=str(of_a_class("a.neg")), test_file=str(test),
    )  # fmt: skip
    counts = {split: run.evaluate(split=split).tokens for split in ("train", "valid", "test")}
    assert counts == {"train": 8, "valid": 4, "test": 8}
    assert run.evaluate(tmp_path / "a.neg", of_a_class("b.neg"), main[1]).tokens == 12


TEXTS = {  # of a task: a file's ending, and what stands in it
    "classify": (".tsv", "text\tlabel\n" + "a b\tx\nb c\ty\n" * 4),
    "lm": (".txt", "to be or not to be\n" * 20),
    "tag": (".conll", "Ann B-PER\nsat O\n\n" * 4),
}


@pytest.mark.parametrize("task", TEXTS)
def test_held_out_files_that_were_moved_are_named_to_resume_and_evaluated_again(
    task: str, tmp_path: Path
) -> None:
    ending, text = TEXTS[task]
    main, valid, test = (written(tmp_path / f"{name}{ending}", text) for name in "abc")
    run = recurra.train(
        task, main, out=tmp_path / "run", steps=1, device="cpu", watcher=Quiet(),
        valid_file=str(valid), test_file=str(test),
    )  # fmt: skip
    figures = run.evaluate().figures
    (tmp_path / "new").mkdir()
    now = test.rename(tmp_path / "new" / test.name)
    gone = rf"there is no file '.*c{ending}', the --test-file of .*: recurra resume .* --test-file"
    with pytest.raises(DataError, match=gone):
        run.evaluate()
    with pytest.raises(DataError, match=gone):
        recurra.resume(run.folder, watcher=Quiet())
    other = written(tmp_path / f"d{ending}", f"{text}\n")
    with pytest.raises(DataError, match=r"is not what .* was trained on"):
        recurra.resume(run.folder, test_file=other, watcher=Quiet())
    assert recurra.resume(run.folder, test_file=now, watcher=Quiet()).evaluate().figures == figures


def test_inputs_that_are_not_repeated_need_held_out_files_that_are_there(tmp_path: Path) -> None:
    ending, text = TEXTS["classify"]
    main, test = (written(tmp_path / f"{name}{ending}", text) for name in "ab")
    run = recurra.train(
        "classify", main, out=tmp_path / "run", steps=1, device="cpu", watcher=Quiet(),
        test_file=str(test),
    )  # fmt: skip
    test.unlink()
    assert run.evaluate(main).tokens == 8
    with pytest.raises(DataError, match=r"there is no file .*, the --test-file of .*: recurra res"):
        run.evaluate(main, repeated=False)


@pytest.mark.parametrize("task", registry.names("tasks"))
def test_a_held_out_file_that_a_run_never_had_cannot_have_moved(task: str, tmp_path: Path) -> None:
    run = recurra.train(task, out=tmp_path / "run", steps=1, device="cpu", watcher=Quiet())
    with pytest.raises(ConfigError, match=r"test_file = '.*c\.txt': .*run was not given one when"):
        recurra.resume(run.folder, test_file=written(tmp_path / "c.txt", "a"))


def test_a_list_of_files_in_one_argument_is_refused_in_one_line(tmp_path: Path) -> None:
    told, files = r"files = \['a', 'b'\]: must be paths, an argument each", ["a", "b"]
    with pytest.raises(ConfigError, match=told):
        recurra.train("classify", files)  # type: ignore[arg-type]
    run = recurra.train("classify", out=tmp_path / "run", steps=1, device="cpu", watcher=Quiet())
    with pytest.raises(ConfigError, match=told):
        run.evaluate(files)  # type: ignore[arg-type]
