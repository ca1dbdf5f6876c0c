from models.native import Floats, Trees

INTERFACE: int

def add_leaves(trees: Trees, rows: Floats, sums: Floats, /) -> None: ...
