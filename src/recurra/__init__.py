"""Recurra: recurrent networks as real software. Importing it does not import torch."""

from __future__ import annotations

__version__ = "0.1.0"
