/* Runs of word characters, and of one character; their twins are in models/engine/runs.py. */
#include "functions.h"

enum { WORD = 1 };

/* Return whether a character is one of a word, or -1 with the error set. */
static int
is_word(const Text *text, Py_ssize_t place)
{
    const Py_UCS4 character = text->characters[place];
    if (character < text->known) {
        return text->classes[character] & WORD;
    }
    if (character == '_') {
        return 1;
    }
    PyObject *string = PyUnicode_Substring(text->object, place, place + 1);
    PyObject *answer = string == NULL ? NULL : PyObject_CallMethod(string, "isalnum", NULL);
    Py_XDECREF(string);
    const int is_alphanumeric = answer == NULL ? -1 : PyObject_IsTrue(answer);
    Py_XDECREF(answer);
    return is_alphanumeric;
}

static int
add_runs(const Text *text, PyObject *runs)
{
    Py_ssize_t start = -1;
    for (Py_ssize_t place = 0; place < text->length; place++) {
        const int is_in_run = is_word(text, place);
        if (is_in_run < 0) {
            return -1;
        }
        if (is_in_run && start < 0) {
            start = place;
        } else if (!is_in_run && start >= 0) {
            if (append_part(runs, text, start, place) < 0) {
                return -1;
            }
            start = -1;
        }
    }
    return start < 0 ? 0 : append_part(runs, text, start, text->length);
}

PyObject *
word_runs(PyObject *Py_UNUSED(module), PyObject *const *arguments, Py_ssize_t count)
{
    Text text;
    if (expect_arguments("word_runs", count, 2) < 0 || open_text(arguments[0], arguments[1], &text) < 0) {
        return NULL;
    }
    PyObject *runs = PyList_New(0);
    if (runs != NULL && add_runs(&text, runs) < 0) {
        Py_CLEAR(runs);
    }
    close_text(&text);
    return runs;
}

PyObject *
longest_run(PyObject *Py_UNUSED(module), PyObject *const *arguments, Py_ssize_t count)
{
    if (expect_arguments("longest_run", count, 1) < 0) {
        return NULL;
    }
    if (!PyUnicode_Check(arguments[0])) {
        PyErr_SetString(PyExc_TypeError, "text is no string");
        return NULL;
    }
    const Py_ssize_t length = PyUnicode_GetLength(arguments[0]);
    Py_UCS4 *characters = PyUnicode_AsUCS4Copy(arguments[0]);
    if (characters == NULL) {
        return NULL;
    }
    Py_ssize_t longest = 0;
    for (Py_ssize_t place = 0, start = 0; place < length; place++) {
        if (characters[place] != characters[start]) {
            start = place;
        }
        longest = Py_MAX(longest, place - start + 1);
    }
    PyMem_Free(characters);
    return PyLong_FromSsize_t(longest);
}
