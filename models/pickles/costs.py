"""What opcodes cost: the memory that their outcome takes at most."""

OPCODE_BYTES = 24
"""Of any opcode: a place on the stack, and a share of the time."""

PAIR_BYTES = 104
"""Of an entry of a dict or a set that has just grown."""

FIRST_BYTES = 200
"""Of the table that the first entry needs."""

_COSTS = {
    b"(": 144,
    b"]l": 72,
    b"}": 80,
    b"\x8f": 232,
    b"d\x91": 232,
    b"t\x85\x86\x87": 72,
    b"XTUSV\x8c\x8dCB\x8e\x96": 72,
    b"GF": 24,
    b"IJKML\x8a\x8b": 32,
    b"pqr\x94": 136,
    b"Rioc\x93\x81\x92": 360,
    b"ab": 48,
}


def opcode_costs() -> list[int]:
    """Return the bytes that each opcode is charged for, by code, beyond those that it spells out."""
    costs = [OPCODE_BYTES] * 256
    for codes, cost in _COSTS.items():
        for code in codes:
            costs[code] += cost
    return costs
