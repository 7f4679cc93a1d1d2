"""Token arrays, their parts and the streams that training walks along; the built-in corpus.

token_file.py encodes, splits.py holds parts out, streams.py cuts windows. How a text becomes
tokens is in recurra.text. Nothing here needs torch: a window is a pair of NumPy arrays.
"""
