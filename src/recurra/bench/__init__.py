"""How fast Recurra is beside the programs it replaces: `recurra bench`, and the record it writes.

timing.py: programs timed in turn in one process. agreement.py: none is timed before it is known to
compute the same. comparison.py: one case, checked and timed. record.py: a bench as a whole. The
cases are in layers.py, training.py, sampling.py and textbook.py. docs/bench.md: how to read it.
"""
