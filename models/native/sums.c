/* Sums of a text moved on by its change; the twin is in models/engine/changes.py. */
#include "functions.h"

#include <stdlib.h>

static int
add(PyObject *blocks, int sign, long long *sums, Py_ssize_t width)
{
    for (Py_ssize_t index = 0; index < PyList_Size(blocks); index++) {
        PyObject *block = PyList_GetItem(blocks, index);
        if (!PyList_Check(block) || PyList_Size(block) != width) {
            PyErr_SetString(PyExc_ValueError, "a block has other sums than the text");
            return -1;
        }
        for (Py_ssize_t place = 0; place < width; place++) {
            const long long number = PyLong_AsLongLong(PyList_GetItem(block, place));
            if (number == -1 && PyErr_Occurred()) {
                return -1;
            }
            if (sign > 0 ? __builtin_add_overflow(sums[place], number, sums + place)
                         : __builtin_sub_overflow(sums[place], number, sums + place)) {
                PyErr_SetString(PyExc_OverflowError, "a sum is beyond 64 bits");
                return -1;
            }
        }
    }
    return 0;
}

static PyObject *
list_of(const long long *sums, Py_ssize_t width)
{
    PyObject *list = PyList_New(width);
    for (Py_ssize_t place = 0; list != NULL && place < width; place++) {
        PyObject *number = PyLong_FromLongLong(sums[place]);
        if (number == NULL || PyList_SetItem(list, place, number) < 0) {
            Py_CLEAR(list);
        }
    }
    return list;
}

PyObject *
move_sums(PyObject *Py_UNUSED(module), PyObject *const *arguments, Py_ssize_t count)
{
    if (expect_arguments("move_sums", count, 3) < 0) {
        return NULL;
    }
    for (Py_ssize_t index = 0; index < count; index++) {
        if (!PyList_Check(arguments[index])) {
            PyErr_SetString(PyExc_TypeError, "move_sums() takes three lists");
            return NULL;
        }
    }
    const Py_ssize_t width = PyList_Size(arguments[0]);
    PyObject *before = PyList_New(0);
    long long *sums = calloc((size_t)width + 1, sizeof *sums);
    PyObject *moved = NULL;
    if (before == NULL || sums == NULL) {
        PyErr_NoMemory();
    } else if (PyList_Append(before, arguments[0]) == 0 && add(before, 1, sums, width) == 0
               && add(arguments[1], 1, sums, width) == 0 && add(arguments[2], -1, sums, width) == 0) {
        moved = list_of(sums, width);
    }
    free(sums);
    Py_XDECREF(before);
    return moved;
}
