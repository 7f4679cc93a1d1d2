"""Token arrays, examples of varying length, their parts, and the batches that training walks along.

Of one long text: token_file.py encodes, splits.py holds parts out, streams.py cuts windows. Of many
examples: holdout.py holds some out, padded.py puts some side by side. How a text becomes tokens is
in recurra.text. Nothing here needs torch: a batch is NumPy arrays.
"""
