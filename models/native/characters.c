/* Arguments that are strings: their characters, and what is known of each. */
#include "functions.h"

int
open_text(PyObject *object, PyObject *classes, Text *text)
{
    if (!PyUnicode_Check(object)) {
        PyErr_SetString(PyExc_TypeError, "text is no string");
        return -1;
    }
    if (!PyBytes_Check(classes)) {
        PyErr_SetString(PyExc_TypeError, "classes of characters are no bytes");
        return -1;
    }
    text->object = object;
    text->length = PyUnicode_GetLength(object);
    text->classes = (const uint8_t *)PyBytes_AsString(classes);
    text->known = (Py_UCS4)Py_MIN(PyBytes_Size(classes), 0x110000);
    text->characters = PyUnicode_AsUCS4Copy(object);
    return text->characters == NULL ? -1 : 0;
}

void
close_text(Text *text)
{
    PyMem_Free(text->characters);
}

int
append_part(PyObject *list, const Text *text, Py_ssize_t start, Py_ssize_t end)
{
    PyObject *part = PyUnicode_Substring(text->object, start, end);
    if (part == NULL) {
        return -1;
    }
    const int failed = PyList_Append(list, part);
    Py_DECREF(part);
    return failed;
}
