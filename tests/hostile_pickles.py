"""Pickles made to do harm, each built in code, with what a reader must answer.

Some run a program when Python's own reader opens them; here the program is harmless. The others break a
reader, or take its memory or its time. ``CORPUS`` holds them all, by name.
"""

from tests import hostile_calls, hostile_forms, hostile_values
from tests.hostile_case import CORPUS, Case

__all__ = ["CORPUS", "Case", "hostile_calls", "hostile_forms", "hostile_values"]
