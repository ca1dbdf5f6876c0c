"""The stack machine that reads the opcodes of pickle protocols 0 to 5.

It never imports, looks up or calls what a pickle names, and never recurses: a value is on the stack, in the
memo or within another value, and each opcode takes a few steps, paid from a budget. The opcodes that only
spell a value are read by ``pushes``; CPython's ``pickletools`` documents them all.
"""

from typing import Any

from models.pickles.allowed import Allowed
from models.pickles.arrays import Shell
from models.pickles.calls import Calls
from models.pickles.costs import FIRST_BYTES, PAIR_BYTES, opcode_costs
from models.pickles.cursor import Cursor
from models.pickles.faults import Malformed, Unwanted, quoted
from models.pickles.keys import Keys
from models.pickles.limits import Budget, Limits
from models.pickles.nesting import check_nesting
from models.pickles.pushes import pushes
from models.pickles.stack import OPERATIONS, Stack, opcode
from models.pickles.values import Global, Instance

_HIGHEST_PROTOCOL = 5
_STOP = ord(".")
_MODULES_NOW = {
    "__builtin__": "builtins",
    "copy_reg": "copyreg",
    "numpy._core.memmap": "numpy.core.memmap",
    "numpy._core.multiarray": "numpy.core.multiarray",
    "numpy._core.numeric": "numpy.core.numeric",
}
_BUILTINS_NOW = {"long": "int", "unicode": "str", "xrange": "range"}


class Machine(Stack):
    """Reads one pickle.

    Args:
        data: The whole of it.
        allowed: The closed list of names.
        limits: Bounds.
    """

    def __init__(self, data: bytes, allowed: Allowed, limits: Limits) -> None:
        self._allowed = allowed
        self._limits = limits
        super().__init__(Cursor(data), limits.marks)
        self._budget = Budget(limits)
        self._keys = Keys(limits.compound_keys, self._budget)
        self._calls = Calls(self._keys, self._budget)
        self._globals: dict[tuple[str, str], Global] = {}
        self._built_shells = 0

    @property
    def position(self) -> int:
        """Where the opcode stands that is being read."""
        return self._cursor.opcode_position

    def run(self) -> Any:
        """Read up to STOP, and return the value.

        Raises:
            Malformed: It is no pickle, or beyond the limits.
            Unwanted: It asks for what no data need.
        """
        reads, costs = pushes(self._limits.integer_bytes), opcode_costs()
        cursor, budget = self._cursor, self._budget
        try:
            while (code := cursor.opcode()) != _STOP:
                budget.step(costs[code], cursor.previous_bytes)
                if (read := reads[code]) is not None:
                    self._values.append(read(cursor))
                elif (operation := OPERATIONS.get(code)) is not None:
                    operation(self)
                else:
                    raise Malformed(f"{bytes((code,))!r} is no opcode")
        except IndexError:
            # Only the stack is indexed without a check.
            raise Malformed("an opcode takes more values than there are") from None
        stack = self._values
        if len(stack) != 1 or self._below_marks:
            raise Malformed(f"its STOP finds {len(stack)} values and {len(self._below_marks)} open marks")
        if self._built_shells != self._calls.shells:
            raise Malformed("an array or its type was begun and never given its state")
        if not cursor.is_at_end:
            raise Malformed("it goes on after its STOP")
        check_nesting(stack[0], self._limits.depth, budget)
        return stack[0]

    # What frames the rest.

    @opcode(b"\x80")
    def _protocol(self) -> None:
        version = self._cursor.unsigned(1)
        if version > _HIGHEST_PROTOCOL or self._cursor.opcode_position != 0:
            raise Malformed(f"protocol {version} is named here; we read 0 to {_HIGHEST_PROTOCOL}, named once")

    @opcode(b"\x95")
    def _frame(self) -> None:
        self._cursor.enter_frame()

    # Collections.

    @opcode(b"t")
    def _tuple(self) -> None:
        items = self._pop_mark()
        self._values.append(tuple(items))

    @opcode(b"\x85")
    def _tuple_1(self) -> None:
        self._values[-1] = (self._values[-1],)

    @opcode(b"\x86")
    def _tuple_2(self) -> None:
        second = self._values.pop()
        self._values[-1] = (self._values[-1], second)

    @opcode(b"\x87")
    def _tuple_3(self) -> None:
        third = self._values.pop()
        second = self._values.pop()
        self._values[-1] = (self._values[-1], second, third)

    @opcode(b"l")
    def _list(self) -> None:
        items = self._pop_mark()
        self._values.append(items)

    @opcode(b"a")
    def _append(self) -> None:
        item = self._values.pop()
        self._extend([item])

    @opcode(b"e")
    def _append_all(self) -> None:
        self._extend(self._pop_mark())

    def _extend(self, items: list[Any]) -> None:
        target = self._values[-1]
        if type(target) is list:
            target.extend(items)
        elif type(target) is Instance:
            target.items.extend(items)
        else:
            raise Malformed(f"items are appended to what is no list: {quoted(target)}")

    @opcode(b"d")
    def _dict(self) -> None:
        items = self._pop_mark()
        self._values.append({})
        self._set_pairs(items)

    @opcode(b"s")
    def _set_item(self) -> None:
        value = self._values.pop()
        key = self._values.pop()
        self._set_pairs([key, value])

    @opcode(b"u")
    def _set_items(self) -> None:
        self._set_pairs(self._pop_mark())

    def _set_pairs(self, items: list[Any]) -> None:
        target = self._values[-1]
        if len(items) % 2:
            raise Malformed("a key has no value")
        self._budget.spend(PAIR_BYTES * (len(items) // 2) + FIRST_BYTES)
        if type(target) is dict:
            for place in range(0, len(items), 2):
                key = items[place]
                if type(key) is not str:
                    self._keys.check(key)
                target[key] = items[place + 1]
        elif type(target) is Instance:
            target.pairs.extend(zip(items[::2], items[1::2], strict=True))
        else:
            raise Malformed(f"keys are set in what is no dict: {quoted(target)}")

    @opcode(b"\x90")
    def _add_members(self) -> None:
        members = self._pop_mark()
        target = self._values[-1]
        if type(target) is not set:
            raise Malformed(f"members are added to what is no set: {quoted(target)}")
        self._check_members(members)
        target.update(members)

    @opcode(b"\x91")
    def _frozen_set(self) -> None:
        members = self._pop_mark()
        self._check_members(members)
        self._values.append(frozenset(members))

    def _check_members(self, members: list[Any]) -> None:
        self._budget.spend(PAIR_BYTES * len(members) + FIRST_BYTES)
        for member in members:
            self._keys.check(member)

    # Names and calls.

    @opcode(b"c")
    def _global_line(self) -> None:
        self._values.append(self._global(_name(self._cursor.line()), _name(self._cursor.line())))

    @opcode(b"\x93")
    def _global_stack(self) -> None:
        name = self._values.pop()
        module = self._values.pop()
        if type(name) is not str or type(module) is not str:
            raise Unwanted(f"a name that is no text: {quoted(name)} in {quoted(module)}")
        self._values.append(self._global(module, name))

    def _global(self, module: str, name: str) -> Global:
        known = self._globals.get((module, name))
        if known is not None:
            return known
        found_module = _MODULES_NOW.get(module, module)
        found_name = _BUILTINS_NOW.get(name, name) if module == "__builtin__" else name
        if not self._allowed.admits(found_module, found_name):
            raise Unwanted(quoted(f"{module}.{name}"))
        found = self._globals[module, name] = Global(found_module, found_name)
        return found

    @opcode(b"R", b"\x81")
    def _call(self) -> None:
        args = self._values.pop()
        self._values[-1] = self._calls.call(self._values[-1], args)

    @opcode(b"\x92")
    def _call_with_names(self) -> None:
        kwargs = self._calls.named(self._values.pop())
        args = self._values.pop()
        self._values[-1] = self._calls.call(self._values[-1], args, kwargs)

    @opcode(b"o")
    def _call_marked(self) -> None:
        kind, *args = self._pop_mark() or [None]
        self._values.append(self._calls.call(kind, tuple(args)))

    @opcode(b"i")
    def _call_named(self) -> None:
        kind = self._global(_name(self._cursor.line()), _name(self._cursor.line()))
        args = self._pop_mark()
        self._values.append(self._calls.call(kind, tuple(args)))

    @opcode(b"b")
    def _build(self) -> None:
        state = self._values.pop()
        target = self._values[-1]
        if type(target) is Shell:
            self._values[-1] = target.set_state(state)
            self._built_shells += 1
        elif type(target) is Instance:
            target.state = state
        else:
            raise Unwanted(f"a state set in what is no object ({quoted(target)})")

    # What only a program could answer.

    @opcode(b"P", b"Q")
    def _persistent(self) -> None:
        raise Unwanted("an object kept outside of the file (PERSID)")

    @opcode(b"\x82", b"\x83", b"\x84")
    def _extension(self) -> None:
        raise Unwanted("a name kept outside of the file (EXT)")

    @opcode(b"\x97", b"\x98")
    def _buffer(self) -> None:
        raise Unwanted("a buffer kept outside of the file (NEXT_BUFFER)")


def _name(line: bytes) -> str:
    try:
        return line.decode("ascii")
    except UnicodeDecodeError:
        raise Unwanted(f"a name that is no ASCII: {quoted(line)}") from None
