/* By how much the counts of blocks change; the twins are in models/engine/changes.py. */
#include "functions.h"

/* Return a dict's whole number for a key, 0 where there is none; -1 with the error set, or without one. */
static Py_ssize_t
count_of(PyObject *counts, PyObject *item)
{
    PyObject *count = PyDict_GetItemWithError(counts, item);
    return count == NULL ? (PyErr_Occurred() ? -1 : 0) : PyLong_AsSsize_t(count);
}

static int
has_failed(Py_ssize_t number)
{
    return number == -1 && PyErr_Occurred() != NULL;
}

static int
add(PyObject *counts, PyObject *table, int sign)
{
    PyObject *item, *count;
    Py_ssize_t position = 0;
    while (PyDict_Next(table, &position, &item, &count)) {
        const Py_ssize_t before = count_of(counts, item);
        const Py_ssize_t more = has_failed(before) ? -1 : PyLong_AsSsize_t(count);
        if (has_failed(more)) {
            return -1;
        }
        const Py_ssize_t after = before + sign * more;
        PyObject *made = after == 0 ? NULL : PyLong_FromSsize_t(after);
        if (after != 0 && made == NULL) {
            return -1;
        }
        const int failed = made == NULL ? PyDict_DelItem(counts, item) : PyDict_SetItem(counts, item, made);
        Py_XDECREF(made);
        if (failed) {
            return -1;
        }
    }
    return 0;
}

/* Return the table at a place of a block's list of tables, borrowed, or NULL with the error set. */
static PyObject *
table_at(PyObject *blocks, Py_ssize_t index, Py_ssize_t place)
{
    PyObject *tables = PyList_GetItem(blocks, index);
    if (tables == NULL || !PyList_Check(tables)) {
        PyErr_SetString(PyExc_TypeError, "the tables of a block are no list");
        return NULL;
    }
    PyObject *table = PyList_GetItem(tables, place);
    if (table != NULL && !PyDict_Check(table)) {
        PyErr_SetString(PyExc_TypeError, "a table is no dict");
        return NULL;
    }
    return table;
}

static int
add_blocks(PyObject *blocks, Py_ssize_t place, int sign, PyObject **counts)
{
    for (Py_ssize_t index = 0; index < PyList_Size(blocks); index++) {
        PyObject *table = table_at(blocks, index, place);
        if (table == NULL) {
            return -1;
        }
        if (PyDict_Size(table) == 0) {
            continue;
        }
        if (*counts == NULL && sign > 0) {
            *counts = PyDict_Copy(table);
            if (*counts == NULL) {
                return -1;
            }
            continue;
        }
        if (*counts == NULL && (*counts = PyDict_New()) == NULL) {
            return -1;
        }
        if (add(*counts, table, sign) < 0) {
            return -1;
        }
    }
    return 0;
}

/* Fill a list with what changed at each place; places where nothing was share one empty dict. */
static int
fill(PyObject *changes, PyObject *new, PyObject *gone, Py_ssize_t places, PyObject *empty)
{
    for (Py_ssize_t place = 0; place < places; place++) {
        PyObject *counts = NULL;
        if (add_blocks(new, place, 1, &counts) < 0 || add_blocks(gone, place, -1, &counts) < 0) {
            Py_XDECREF(counts);
            return -1;
        }
        if (counts == NULL) {
            Py_INCREF(empty);
            counts = empty;
        }
        if (PyList_SetItem(changes, place, counts) < 0) {
            return -1;
        }
    }
    return 0;
}

PyObject *
change_counts(PyObject *Py_UNUSED(module), PyObject *const *arguments, Py_ssize_t count)
{
    if (expect_arguments("change_counts", count, 3) < 0) {
        return NULL;
    }
    PyObject *new = arguments[0], *gone = arguments[1];
    if (!PyList_Check(new) || !PyList_Check(gone)) {
        PyErr_SetString(PyExc_TypeError, "change_counts() takes two lists of blocks");
        return NULL;
    }
    const Py_ssize_t places = PyLong_AsSsize_t(arguments[2]);
    if (PyErr_Occurred()) {
        return NULL;
    }
    PyObject *changes = PyList_New(Py_MAX(places, 0));
    PyObject *empty = changes == NULL ? NULL : PyDict_New();
    if (empty == NULL || fill(changes, new, gone, places, empty) < 0) {
        Py_CLEAR(changes);
    }
    Py_XDECREF(empty);
    return changes;
}

/* Move an item that is wanted to the end of what is in order. */
static int
move(PyObject *wanted, PyObject *ordered, PyObject *item)
{
    PyObject *value = PyDict_GetItemWithError(wanted, item);
    if (value == NULL) {
        return PyErr_Occurred() ? -1 : 0;
    }
    return PyDict_SetItem(ordered, item, value) < 0 || PyDict_DelItem(wanted, item) < 0 ? -1 : 0;
}

/* Return how many of the items that are wanted a table has, and the last of them, borrowed. */
static Py_ssize_t
shared(PyObject *wanted, PyObject *table, PyObject **last)
{
    PyObject *item, *value;
    Py_ssize_t position = 0, found = 0;
    while (PyDict_Next(wanted, &position, &item, &value)) {
        if (PyDict_GetItemWithError(table, item) != NULL) {
            *last = item;
            found++;
        } else if (PyErr_Occurred()) {
            return -1;
        }
    }
    return found;
}

static int
move_all(PyObject *wanted, PyObject *ordered, PyObject *table)
{
    PyObject *last = NULL;
    const Py_ssize_t found = shared(wanted, table, &last);
    if (found == 0) {
        return 0;
    }
    if (found == 1) {
        Py_INCREF(last);
        const int failed = move(wanted, ordered, last);
        Py_DECREF(last);
        return failed;
    }
    PyObject *item, *value;
    Py_ssize_t position = 0;
    int failed = found < 0;
    while (!failed && PyDict_Next(table, &position, &item, &value)) {
        failed = move(wanted, ordered, item) < 0;
    }
    return failed ? -1 : 0;
}

/* Return the items in the order of their first occurrence in tables, then those not there; a new dict. Of blocks,
   their table at a place is read; with a place below 0, each is a table itself. */
static PyObject *
ordered_items(PyObject *blocks, Py_ssize_t place, PyObject *items)
{
    PyObject *wanted = PyDict_Copy(items);
    PyObject *ordered = wanted == NULL ? NULL : PyDict_New();
    int failed = ordered == NULL;
    for (Py_ssize_t index = 0; !failed && index < PyList_Size(blocks) && PyDict_Size(wanted) > 0; index++) {
        PyObject *table = place < 0 ? PyList_GetItem(blocks, index) : table_at(blocks, index, place);
        if (table == NULL || !PyDict_Check(table)) {
            if (table != NULL) {
                PyErr_SetString(PyExc_TypeError, "a table is no dict");
            }
            failed = 1;
        } else if (PyDict_Size(table) > 0) {
            failed = move_all(wanted, ordered, table) < 0;
        }
    }
    if (failed || PyDict_Update(ordered, wanted) < 0) {
        Py_CLEAR(ordered);
    }
    Py_XDECREF(wanted);
    return ordered;
}

PyObject *
in_order(PyObject *Py_UNUSED(module), PyObject *const *arguments, Py_ssize_t count)
{
    if (expect_arguments("in_order", count, 2) < 0) {
        return NULL;
    }
    if (!PyList_Check(arguments[0]) || !PyDict_Check(arguments[1])) {
        PyErr_SetString(PyExc_TypeError, "in_order() takes a list and a dict");
        return NULL;
    }
    return ordered_items(arguments[0], -1, arguments[1]);
}

/* Add a number to the sum of all, and to that of its sign. */
static void
add_whole(Py_ssize_t sums[3], Py_ssize_t number)
{
    sums[0] += number;
    sums[number > 0 ? 1 : 2] += number;
}

/* Floats are added one after the other, as Python's sum() does before 3.12. */
static void
add_share(double sums[3], double share)
{
    sums[0] += share;
    sums[share > 0 ? 1 : 2] += share;
}

static int
add_counts(PyObject *counts, Py_ssize_t sums[3])
{
    PyObject *item, *number;
    Py_ssize_t position = 0;
    while (PyDict_Next(counts, &position, &item, &number)) {
        const Py_ssize_t delta = PyLong_AsSsize_t(number);
        if (has_failed(delta)) {
            return -1;
        }
        add_whole(sums, delta);
    }
    return 0;
}

static int
add_shares(PyObject *counts, PyObject *before, double sums[3])
{
    PyObject *item, *number;
    Py_ssize_t position = 0;
    const int was_empty = PyDict_Size(before) == 0;
    while (PyDict_Next(counts, &position, &item, &number)) {
        const Py_ssize_t delta = PyLong_AsSsize_t(number);
        const Py_ssize_t known = was_empty ? 0 : has_failed(delta) ? -1 : count_of(before, item);
        if (has_failed(delta) || has_failed(known)) {
            return -1;
        }
        const Py_ssize_t whole = delta > 0 ? known + 1 : known;
        if (whole == 0) {
            PyErr_SetString(PyExc_ZeroDivisionError, "division by zero");
            return -1;
        }
        /* Both are exact, so that this is rounded once, as Python's division of whole numbers is. */
        add_share(sums, (double)delta / (double)whole);
    }
    return 0;
}

/* Return the six figures of one table, or NULL with the error set. */
static PyObject *
figures_of(PyObject *counts, PyObject *before, PyObject *blocks, Py_ssize_t place)
{
    if (!PyDict_Check(counts) || !PyDict_Check(before)) {
        PyErr_SetString(PyExc_TypeError, "change_figures() takes lists of dicts");
        return NULL;
    }
    if (PyDict_Size(counts) == 0) {
        return Py_BuildValue("(iiiiii)", 0, 0, 0, 0, 0, 0);
    }
    /* Floats do not add up the same in every order. Two do; so do the whole numbers of all that is new. */
    PyObject *ordered = NULL;
    if (PyDict_Size(before) > 0 && PyDict_Size(counts) > 2) {
        ordered = ordered_items(blocks, place, counts);
        if (ordered == NULL) {
            return NULL;
        }
    }
    Py_ssize_t sums[3] = {0};
    double shares[3] = {0};
    const int failed = add_counts(counts, sums) < 0
        || add_shares(ordered == NULL ? counts : ordered, before, shares) < 0;
    Py_XDECREF(ordered);
    return failed ? NULL
                  : Py_BuildValue("(nnnddd)", sums[0], sums[1], sums[2], shares[0], shares[1], shares[2]);
}

PyObject *
change_figures(PyObject *Py_UNUSED(module), PyObject *const *arguments, Py_ssize_t count)
{
    if (expect_arguments("change_figures", count, 3) < 0) {
        return NULL;
    }
    PyObject *counts = arguments[0], *before = arguments[1], *blocks = arguments[2];
    if (!PyList_Check(counts) || !PyList_Check(before) || !PyList_Check(blocks)) {
        PyErr_SetString(PyExc_TypeError, "change_figures() takes three lists");
        return NULL;
    }
    const Py_ssize_t places = PyList_Size(counts);
    PyObject *figures = PyList_New(places);
    for (Py_ssize_t place = 0; figures != NULL && place < places; place++) {
        PyObject *item = PyList_GetItem(before, place);
        PyObject *one = item == NULL ? NULL : figures_of(PyList_GetItem(counts, place), item, blocks, place);
        if (one == NULL || PyList_SetItem(figures, place, one) < 0) {
            Py_CLEAR(figures);
        }
    }
    return figures;
}
