/* What items count for, added up; the twin is `_add_up` in models/engine/analysis.py. */
#include "functions.h"

#include <stdlib.h>
#include <string.h>

enum { TABLES, SUMS, MAXIMA, FIELDS };
enum { FIRST_SLOTS = 128 };

typedef struct {
    PyObject *verdict;
    Py_ssize_t count;
} Counted;

/* Verdicts in the order of their first occurrence, found by where they lie in memory. */
typedef struct {
    Counted *counted;
    size_t used;
    size_t *slots;
    size_t mask;
} Counter;

static int
make_room(Counter *counter, size_t slots)
{
    /* At most half of the slots are taken. */
    Counted *counted = realloc(counter->counted, slots / 2 * sizeof *counted);
    if (counted != NULL) {
        counter->counted = counted;
    }
    size_t *places = counted == NULL ? NULL : calloc(slots, sizeof *places);
    if (places == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    free(counter->slots);
    counter->slots = places;
    counter->mask = slots - 1;
    return 0;
}

/* Return the slot of a verdict, or the empty one where it belongs. A slot holds a place from 1 on. */
static size_t *
slot_of(const Counter *counter, const PyObject *verdict)
{
    size_t at = ((uintptr_t)verdict >> 4) * 0x9E3779B97F4A7C15U >> 20 & counter->mask;
    while (counter->slots[at] != 0 && counter->counted[counter->slots[at] - 1].verdict != verdict) {
        at = (at + 1) & counter->mask;
    }
    return counter->slots + at;
}

static int
count_one(Counter *counter, PyObject *verdict)
{
    size_t *slot = slot_of(counter, verdict);
    if (*slot != 0) {
        counter->counted[*slot - 1].count++;
        return 0;
    }
    if (counter->used == (counter->mask + 1) / 2) {
        if (make_room(counter, (counter->mask + 1) * 2) < 0) {
            return -1;
        }
        for (size_t place = 0; place < counter->used; place++) {
            *slot_of(counter, counter->counted[place].verdict) = place + 1;
        }
        slot = slot_of(counter, verdict);
    }
    Py_INCREF(verdict);
    counter->counted[counter->used++] = (Counted){verdict, 1};
    *slot = counter->used;
    return 0;
}

static int
count_items(PyObject *items, PyObject *verdicts, Counter *counter)
{
    for (Py_ssize_t place = 0; place < PyList_Size(items); place++) {
        PyObject *item = PyList_GetItem(items, place);
        PyObject *verdict = PyDict_GetItemWithError(verdicts, item);
        if (verdict != NULL) {
            if (count_one(counter, verdict) < 0) {
                return -1;
            }
            continue;
        }
        if (PyErr_Occurred()) {
            return -1;
        }
        verdict = PyObject_GetItem(verdicts, item);
        const int failed = verdict == NULL || count_one(counter, verdict) < 0;
        Py_XDECREF(verdict);
        if (failed) {
            return -1;
        }
    }
    return 0;
}

/* Return the item of a pair in a tuple, or NULL with the error set. */
static PyObject *
pair_at(PyObject *pairs, Py_ssize_t index)
{
    PyObject *pair = PyTuple_GetItem(pairs, index);
    if (pair != NULL && (!PyTuple_Check(pair) || PyTuple_Size(pair) != 2)) {
        PyErr_SetString(PyExc_TypeError, "a verdict holds other things than pairs");
        return NULL;
    }
    return pair;
}

/* Return the place that a pair names among so many, or -1 with the error set. */
static Py_ssize_t
place_in(PyObject *pair, Py_ssize_t places)
{
    const Py_ssize_t place = PyLong_AsSsize_t(PyTuple_GetItem(pair, 0));
    if (place >= 0 && place < places) {
        return place;
    }
    if (!PyErr_Occurred()) {
        PyErr_SetString(PyExc_IndexError, "a verdict counts for a place that is not there");
    }
    return -1;
}

static int
add_to_table(PyObject *table, PyObject *key, Py_ssize_t more)
{
    PyObject *before = PyDict_GetItemWithError(table, key);
    if (before == NULL && PyErr_Occurred()) {
        return -1;
    }
    const Py_ssize_t sum = before == NULL ? 0 : PyLong_AsSsize_t(before);
    if (sum == -1 && PyErr_Occurred()) {
        return -1;
    }
    PyObject *after = PyLong_FromSsize_t(sum + more);
    if (after == NULL) {
        return -1;
    }
    const int failed = PyDict_SetItem(table, key, after);
    Py_DECREF(after);
    return failed;
}

static int
fill_tables(PyObject *pairs, Py_ssize_t count, PyObject *tables)
{
    for (Py_ssize_t index = 0; index < PyTuple_Size(pairs); index++) {
        PyObject *pair = pair_at(pairs, index);
        const Py_ssize_t place = pair == NULL ? -1 : place_in(pair, PyList_Size(tables));
        if (place < 0) {
            return -1;
        }
        PyObject *table = PyList_GetItem(tables, place);
        if (!PyDict_Check(table)) {
            PyErr_SetString(PyExc_TypeError, "a table is no dict");
            return -1;
        }
        if (PyDict_Size(table) == 0) {
            /* One empty table stands for all that hold nothing. */
            table = PyDict_New();
            if (table == NULL || PyList_SetItem(tables, place, table) < 0) {
                return -1;
            }
        }
        if (add_to_table(table, PyTuple_GetItem(pair, 1), count) < 0) {
            return -1;
        }
    }
    return 0;
}

/* Return a pair's number, which a list holds one of at the pair's place. */
static int
number_for(PyObject *pairs, Py_ssize_t index, PyObject *numbers, Py_ssize_t *place, long long *number)
{
    PyObject *pair = pair_at(pairs, index);
    *place = pair == NULL ? -1 : place_in(pair, PyList_Size(numbers));
    if (*place < 0) {
        return -1;
    }
    *number = PyLong_AsLongLong(PyTuple_GetItem(pair, 1));
    return *number == -1 && PyErr_Occurred() ? -1 : 0;
}

static int
fill_numbers(PyObject *pairs, PyObject *numbers, Py_ssize_t count)
{
    for (Py_ssize_t index = 0; index < PyTuple_Size(pairs); index++) {
        Py_ssize_t place;
        long long number;
        if (number_for(pairs, index, numbers, &place, &number) < 0) {
            return -1;
        }
        const long long before = PyLong_AsLongLong(PyList_GetItem(numbers, place));
        if (before == -1 && PyErr_Occurred()) {
            return -1;
        }
        long long after;
        if (count == 0) {
            after = Py_MAX(before, number);
        } else if (__builtin_mul_overflow(number, (long long)count, &after)
                   || __builtin_add_overflow(after, before, &after)) {
            PyErr_SetString(PyExc_OverflowError, "a sum is beyond 64 bits");
            return -1;
        }
        PyObject *made = PyLong_FromLongLong(after);
        if (made == NULL || PyList_SetItem(numbers, place, made) < 0) {
            return -1;
        }
    }
    return 0;
}

static int
fill(const Counted *counted, PyObject *tables, PyObject *sums, PyObject *maxima)
{
    PyObject *fields[FIELDS];
    if (!PyTuple_Check(counted->verdict) || PyTuple_Size(counted->verdict) != FIELDS) {
        PyErr_SetString(PyExc_TypeError, "a verdict is no tuple of three");
        return -1;
    }
    for (int field = 0; field < FIELDS; field++) {
        fields[field] = PyTuple_GetItem(counted->verdict, field);
        if (!PyTuple_Check(fields[field])) {
            PyErr_SetString(PyExc_TypeError, "a verdict holds other things than tuples");
            return -1;
        }
    }
    if (fill_tables(fields[TABLES], counted->count, tables) < 0
        || fill_numbers(fields[SUMS], sums, counted->count) < 0) {
        return -1;
    }
    return fill_numbers(fields[MAXIMA], maxima, 0);
}

PyObject *
tally(PyObject *Py_UNUSED(module), PyObject *const *arguments, Py_ssize_t count)
{
    if (expect_arguments("tally", count, 5) < 0) {
        return NULL;
    }
    PyObject *items = arguments[0], *verdicts = arguments[1];
    PyObject *tables = arguments[2], *sums = arguments[3], *maxima = arguments[4];
    if (!PyList_Check(items) || !PyDict_Check(verdicts) || !PyList_Check(tables) || !PyList_Check(sums)
        || !PyList_Check(maxima)) {
        PyErr_SetString(PyExc_TypeError, "tally() takes a list, a dict and three lists");
        return NULL;
    }
    Counter counter = {0};
    int failed = make_room(&counter, FIRST_SLOTS) < 0 || count_items(items, verdicts, &counter) < 0;
    for (size_t place = 0; place < counter.used; place++) {
        failed = failed || fill(counter.counted + place, tables, sums, maxima) < 0;
        Py_DECREF(counter.counted[place].verdict);
    }
    free(counter.counted);
    free(counter.slots);
    if (failed) {
        return NULL;
    }
    Py_RETURN_NONE;
}
