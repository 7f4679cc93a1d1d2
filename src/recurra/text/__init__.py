"""Text and tokens, without torch: which files, how they are read, what their symbols are.

The way in: `expand` (files.py), `chunks` and `read_text` (reading.py), `fit`, `extend` and
`from_json` (tokenizers.py). Token arrays and batches are in recurra.data.
"""
