"""The settings of a language model's network: all the runtime needs to rebuild it."""

from __future__ import annotations

from dataclasses import dataclass

from recurra.config import option, require


@dataclass(frozen=True, kw_only=True)
class NetworkSettings:
    """Embedding (or one-hot) → recurrent stack → projection onto the vocabulary."""

    cell: str = option(
        "lstm",
        "a file name in cells/: see `recurra list cells`",
        why="greff2015: no variant is clearly better",
    )
    hidden_size: int = option(256, "units a layer", why="within char-rnn's 128 to 512")
    num_layers: int = option(1, "recurrent layers", why="a guess")
    embedding_size: int | None = option(
        None,
        "units of the symbol embedding; 0: one-hot; none: as hidden_size",
        why="a table makes its size free; the plain PyTorch trainer's choice",
    )
    tied: bool = option(
        False,
        "the projection shares the embedding's weights (press2017)",
        why="press2017 is about words",
    )
    learned_state: bool = option(
        False, "the initial state is learned instead of zero", why="as torch.nn"
    )
    dropout: float = option(
        0.0,
        "probability in [0, 1) on every layer's input and output",
        why="off in a first short run of lm; names: 0.1, docs/names.md",
    )
    locked_dropout: bool = option(
        False, "one dropout mask for a whole sequence (gal2016)", why="plain is zaremba2014's"
    )
    weight_dropout: float = option(
        0.0,
        "probability in [0, 1) on the weights that read the hidden state (merity2018)",
        why="tinyshakespeare, 26 passes: 1.500 nats with 0.3, 1.456 without",
    )

    def __post_init__(self) -> None:
        require(
            1 <= self.hidden_size <= 65536, "hidden_size", self.hidden_size, "must be 1 to 65536"
        )
        require(1 <= self.num_layers <= 64, "num_layers", self.num_layers, "must be 1 to 64")
        size = self.embedding_size
        require(
            size is None or 0 <= size <= 65536,
            "embedding_size",
            size,
            "must be 0 to 65536, or none",
        )
        require(0 <= self.dropout < 1, "dropout", self.dropout, "must be a probability in [0, 1)")
        require(
            0 <= self.weight_dropout < 1,
            "weight_dropout",
            self.weight_dropout,
            "must be a probability in [0, 1)",
        )
        require(
            not self.tied or size in (None, self.hidden_size),
            "tied",
            self.tied,
            "needs an embedding of hidden_size units",
        )
