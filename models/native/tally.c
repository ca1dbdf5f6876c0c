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

/* The numbers of a list, to be put back once all is added. */
typedef struct {
    int64_t *at;
    Py_ssize_t count;
} Numbers;

static int
take_numbers(PyObject *list, Numbers *numbers)
{
    numbers->count = PyList_Size(list);
    numbers->at = PyMem_Calloc((size_t)numbers->count + 1, sizeof *numbers->at);
    if (numbers->at == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    for (Py_ssize_t place = 0; place < numbers->count; place++) {
        numbers->at[place] = PyLong_AsLongLong(PyList_GetItem(list, place));
        if (numbers->at[place] == -1 && PyErr_Occurred()) {
            return -1;
        }
    }
    return 0;
}

/* An error that is set stays set. */
static int
put_numbers_back(PyObject *list, const Numbers *numbers)
{
    for (Py_ssize_t place = 0; place < numbers->count; place++) {
        PyObject *made = PyLong_FromLongLong(numbers->at[place]);
        if (made == NULL || PyList_SetItem(list, place, made) < 0) {
            return -1;
        }
    }
    return 0;
}

/* What a verdict says of sums or of maxima: places and numbers in turn. */
static int
fill_numbers(PyObject *packed, const Numbers *numbers, Py_ssize_t count)
{
    char *bytes;
    Py_ssize_t length;
    int64_t pair[2];
    if (PyBytes_AsStringAndSize(packed, &bytes, &length) < 0) {
        return -1;
    }
    if (length % (Py_ssize_t)sizeof pair) {
        PyErr_SetString(PyExc_ValueError, "the numbers of a verdict are no pairs");
        return -1;
    }
    for (const char *end = bytes + length; bytes < end; bytes += sizeof pair) {
        memcpy(pair, bytes, sizeof pair);
        if (pair[0] < 0 || pair[0] >= numbers->count) {
            PyErr_SetString(PyExc_IndexError, "a verdict counts for a place that is not there");
            return -1;
        }
        int64_t *at = numbers->at + pair[0], more;
        if (count == 0) {
            *at = Py_MAX(*at, pair[1]);
        } else if (__builtin_mul_overflow(pair[1], (int64_t)count, &more)
                   || __builtin_add_overflow(more, *at, at)) {
            PyErr_SetString(PyExc_OverflowError, "a sum is beyond 64 bits");
            return -1;
        }
    }
    return 0;
}

static int
fill(const Counted *counted, PyObject *tables, const Numbers *sums, const Numbers *maxima)
{
    if (!PyTuple_Check(counted->verdict) || PyTuple_Size(counted->verdict) != FIELDS) {
        PyErr_SetString(PyExc_TypeError, "a verdict is no tuple of three");
        return -1;
    }
    PyObject *pairs = PyTuple_GetItem(counted->verdict, TABLES);
    if (!PyTuple_Check(pairs)) {
        PyErr_SetString(PyExc_TypeError, "the tables of a verdict are no tuple");
        return -1;
    }
    if (fill_tables(pairs, counted->count, tables) < 0
        || fill_numbers(PyTuple_GetItem(counted->verdict, SUMS), sums, counted->count) < 0) {
        return -1;
    }
    return fill_numbers(PyTuple_GetItem(counted->verdict, MAXIMA), maxima, 0);
}

static int
fill_all(Counter *counter, PyObject *tables, PyObject *sums, PyObject *maxima)
{
    Numbers of_sums = {0}, of_maxima = {0};
    int failed = take_numbers(sums, &of_sums) < 0 || take_numbers(maxima, &of_maxima) < 0;
    const int taken = !failed;
    for (size_t place = 0; !failed && place < counter->used; place++) {
        failed = fill(counter->counted + place, tables, &of_sums, &of_maxima) < 0;
    }
    if (taken) {
        PyObject *type, *value, *trace;
        PyErr_Fetch(&type, &value, &trace);
        const int lost = put_numbers_back(sums, &of_sums) < 0 || put_numbers_back(maxima, &of_maxima) < 0;
        if (lost) {
            Py_XDECREF(type);
            Py_XDECREF(value);
            Py_XDECREF(trace);
        } else {
            PyErr_Restore(type, value, trace);
        }
        failed = failed || lost;
    }
    PyMem_Free(of_sums.at);
    PyMem_Free(of_maxima.at);
    return failed ? -1 : 0;
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
    const int failed = make_room(&counter, FIRST_SLOTS) < 0 || count_items(items, verdicts, &counter) < 0
        || fill_all(&counter, tables, sums, maxima) < 0;
    for (size_t place = 0; place < counter.used; place++) {
        Py_DECREF(counter.counted[place].verdict);
    }
    free(counter.counted);
    free(counter.slots);
    if (failed) {
        return NULL;
    }
    Py_RETURN_NONE;
}
