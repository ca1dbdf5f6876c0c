/* What two sequences share, as Python's difflib finds it; models/engine/sequences.py has the twin. */
#include "functions.h"

#include <stdint.h>

/* From so many items on, difflib looks for none that makes up more than a hundredth of a sequence. */
enum { LONG = 200, SHARE = 100 };

typedef struct {
    Py_ssize_t from, to, other_from, other_to;
} Range;

typedef struct {
    Py_ssize_t first, other, count;
} Block;

typedef struct {
    const int32_t *first;
    const int32_t *other;
    /* Where each item stands in the other sequence, ascending; those of item i begin at starts[i]. */
    int32_t *places;
    int32_t *starts;
    /* Lengths of what matches up to each place, for the item before and for this one; one ahead. */
    int32_t *before;
    int32_t *now;
} Sequences;

/* Lists the places of every item; those too frequent get none. `filled` is zero, one for each item. */
static void
list_places(Sequences *s, Py_ssize_t length, Py_ssize_t items, int32_t *filled)
{
    for (Py_ssize_t j = 0; j < length; j++) {
        s->starts[s->other[j] + 1]++;
    }
    for (Py_ssize_t item = 1; item <= items; item++) {
        if (length >= LONG && s->starts[item] > length / SHARE + 1) {
            s->starts[item] = 0;
        }
        s->starts[item] += s->starts[item - 1];
    }
    for (int32_t j = 0; j < length; j++) {
        int32_t item = s->other[j];
        int32_t at = s->starts[item] + filled[item];
        if (at < s->starts[item + 1]) {
            s->places[at] = j;
            filled[item]++;
        }
    }
}

/* The first of an item's places that is not before a place. */
static int32_t
place_from(const Sequences *s, int32_t item, Py_ssize_t least)
{
    int32_t low = s->starts[item], high = s->starts[item + 1];
    while (low < high) {
        int32_t middle = low + (high - low) / 2;
        if (s->places[middle] < least) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static void
forget(int32_t *lengths, const Sequences *s, int32_t item, const Range *range)
{
    for (int32_t at = place_from(s, item, range->other_from);
         at < s->starts[item + 1] && s->places[at] < range->other_to; at++) {
        lengths[s->places[at] + 1] = 0;
    }
}

/* The longest block in a range; of several, the one that begins first, in the first sequence before all. */
static Block
longest(Sequences *s, const Range *range)
{
    Block best = {range->from, range->other_from, 0};
    for (Py_ssize_t i = range->from; i < range->to; i++) {
        int32_t item = s->first[i];
        for (int32_t at = place_from(s, item, range->other_from);
             at < s->starts[item + 1] && s->places[at] < range->other_to; at++) {
            int32_t j = s->places[at];
            int32_t count = s->before[j] + 1;
            s->now[j + 1] = count;
            if (count > best.count) {
                best.first = i - count + 1;
                best.other = j - count + 1;
                best.count = count;
            }
        }
        if (i > range->from) {
            forget(s->before, s, s->first[i - 1], range);
        }
        int32_t *swapped = s->before;
        s->before = s->now;
        s->now = swapped;
    }
    forget(s->before, s, s->first[range->to - 1], range);
    /* What was left out for being frequent belongs to a block that it stands beside. */
    while (best.first > range->from && best.other > range->other_from
           && s->first[best.first - 1] == s->other[best.other - 1]) {
        best.first--;
        best.other--;
        best.count++;
    }
    while (best.first + best.count < range->to && best.other + best.count < range->other_to
           && s->first[best.first + best.count] == s->other[best.other + best.count]) {
        best.count++;
    }
    return best;
}

/* Fill blocks in the order of the sequences; return their number. There is room for one per item. */
static Py_ssize_t
find_blocks(Sequences *s, Py_ssize_t length, Py_ssize_t other_length, Range *waiting, Block *blocks)
{
    Py_ssize_t found = 0, depth = 0;
    waiting[depth++] = (Range){0, length, 0, other_length};
    while (depth) {
        Range range = waiting[--depth];
        if (range.from < 0) {
            /* A block that waited for all that is before it. */
            blocks[found++] = (Block){range.to, range.other_from, range.other_to};
            continue;
        }
        if (range.from >= range.to || range.other_from >= range.other_to) {
            continue;
        }
        Block best = longest(s, &range);
        if (best.count) {
            waiting[depth++] = (Range){best.first + best.count, range.to, best.other + best.count,
                                       range.other_to};
            waiting[depth++] = (Range){-1, best.first, best.other, best.count};
            waiting[depth++] = (Range){range.from, best.first, range.other_from, best.other};
        }
    }
    return found;
}

/* Join blocks that stand side by side in both sequences. */
static Py_ssize_t
joined(Block *blocks, Py_ssize_t count)
{
    Py_ssize_t kept = 0;
    for (Py_ssize_t i = 0; i < count; i++) {
        Block *last = blocks + kept - 1;
        if (kept && last->first + last->count == blocks[i].first
            && last->other + last->count == blocks[i].other) {
            last->count += blocks[i].count;
        } else {
            blocks[kept++] = blocks[i];
        }
    }
    return kept;
}

static PyObject *
as_list(const Block *blocks, Py_ssize_t count)
{
    PyObject *list = PyList_New(count);
    for (Py_ssize_t i = 0; list != NULL && i < count; i++) {
        PyObject *item = Py_BuildValue("nnn", blocks[i].first, blocks[i].other, blocks[i].count);
        if (item == NULL || PyList_SetItem(list, i, item) < 0) {
            Py_DECREF(list);
            return NULL;
        }
    }
    return list;
}

static int
are_items(const Py_buffer *sequence, Py_ssize_t items)
{
    const int32_t *item = sequence->buf;
    for (Py_ssize_t i = 0; i < sequence->len / (Py_ssize_t)sizeof(int32_t); i++) {
        if (item[i] < 0 || item[i] >= items) {
            PyErr_Format(PyExc_ValueError, "item %zd of a sequence is none of %zd", i, items);
            return 0;
        }
    }
    return 1;
}

static PyObject *
blocks_of(const Py_buffer *first, const Py_buffer *other, Py_ssize_t items)
{
    Py_ssize_t length = first->len / (Py_ssize_t)sizeof(int32_t);
    Py_ssize_t other_length = other->len / (Py_ssize_t)sizeof(int32_t);
    PyObject *list = NULL;
    int32_t *starts = PyMem_Calloc((size_t)items + 1, sizeof(int32_t));
    int32_t *filled = PyMem_Calloc((size_t)items + 1, sizeof(int32_t));
    int32_t *places = PyMem_Calloc((size_t)other_length, sizeof(int32_t));
    int32_t *lengths = PyMem_Calloc(2 * ((size_t)other_length + 1), sizeof(int32_t));
    /* A block and what is before and behind it wait together; no two that wait overlap. */
    Range *waiting = PyMem_Calloc(2 * (size_t)length + 4, sizeof(Range));
    Block *blocks = PyMem_Calloc((size_t)length, sizeof(Block));
    if (starts && filled && places && lengths && waiting && blocks) {
        Sequences s = {first->buf, other->buf, places, starts, lengths, lengths + other_length + 1};
        PyThreadState *thread = PyEval_SaveThread();
        list_places(&s, other_length, items, filled);
        Py_ssize_t count = joined(blocks, find_blocks(&s, length, other_length, waiting, blocks));
        PyEval_RestoreThread(thread);
        list = as_list(blocks, count);
    } else {
        PyErr_NoMemory();
    }
    PyMem_Free(blocks);
    PyMem_Free(waiting);
    PyMem_Free(lengths);
    PyMem_Free(places);
    PyMem_Free(filled);
    PyMem_Free(starts);
    return list;
}

PyObject *
matching_blocks(PyObject *Py_UNUSED(module), PyObject *const *arguments, Py_ssize_t count)
{
    Py_buffer first, other;
    PyObject *list = NULL;
    if (expect_arguments("matching_blocks", count, 3) < 0) {
        return NULL;
    }
    Py_ssize_t items = PyLong_AsSsize_t(arguments[2]);
    if (PyErr_Occurred()) {
        return NULL;
    }
    if (items < 1 || items >= INT32_MAX) {
        PyErr_Format(PyExc_ValueError, "%zd is no number of different items", items);
        return NULL;
    }
    if (open_items(arguments[0], "items", sizeof(int32_t), &first) < 0) {
        return NULL;
    }
    if (open_items(arguments[1], "items", sizeof(int32_t), &other) == 0) {
        if (first.len / 4 >= INT32_MAX || other.len / 4 >= INT32_MAX) {
            PyErr_SetString(PyExc_ValueError, "sequences of more items than can be numbered");
        } else if (are_items(&first, items) && are_items(&other, items)) {
            list = blocks_of(&first, &other, items);
        }
        PyBuffer_Release(&other);
    }
    PyBuffer_Release(&first);
    return list;
}
