/* Arguments that are buffers: checked before anything reads them. */
#include "functions.h"

#include <stdint.h>
#include <string.h>

int
expect_arguments(const char *function, Py_ssize_t count, Py_ssize_t expected)
{
    if (count == expected) {
        return 0;
    }
    PyErr_Format(PyExc_TypeError, "%s() takes %zd arguments, not %zd", function, expected, count);
    return -1;
}

static int
is_aligned(const Py_buffer *view)
{
    return (uintptr_t)view->buf % sizeof(double) == 0;
}

int
open_items(PyObject *object, const char *name, size_t item_bytes, Py_buffer *view)
{
    /* Bytes cannot change, hence what was checked when a model was loaded still holds. */
    if (!PyBytes_Check(object)) {
        PyErr_Format(PyExc_TypeError, "%s are no bytes", name);
        return -1;
    }
    if (PyObject_GetBuffer(object, view, PyBUF_SIMPLE) < 0) {
        return -1;
    }
    if (view->len > 0 && (size_t)view->len % item_bytes == 0 && is_aligned(view)) {
        return 0;
    }
    PyErr_Format(PyExc_ValueError, "%s are no whole items of %zu bytes in line", name, item_bytes);
    PyBuffer_Release(view);
    return -1;
}

int
open_table(PyObject *object, const char *name, int flags, Py_buffer *view)
{
    if (PyObject_GetBuffer(object, view, PyBUF_C_CONTIGUOUS | PyBUF_FORMAT | flags) < 0) {
        return -1;
    }
    if (view->ndim == 2 && view->format != NULL && strcmp(view->format, "d") == 0
        && view->itemsize == (Py_ssize_t)sizeof(double) && is_aligned(view)) {
        return 0;
    }
    PyErr_Format(PyExc_ValueError, "%s are no table of float64 in line", name);
    PyBuffer_Release(view);
    return -1;
}
