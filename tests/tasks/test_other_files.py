"""Files that are given to a trained run: of every task, what an error advises can be done."""

from __future__ import annotations

from pathlib import Path

import pytest

import recurra
from recurra import registry
from recurra.errors import DataError


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
