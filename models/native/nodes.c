/* Tokens of wikitext as one letter each, and whether they are sound; the twins are in
   models/engine/node_codes.py, which says what the letters mean. */
#include "functions.h"

#include <stdlib.h>
#include <string.h>

/* Kinds of tokens that are remembered by where they lie in memory. */
enum { KINDS = 64 };

/* Return the letter of a type, or -1 with the error set. */
static long
letter_of(PyObject *letters, PyObject *type)
{
    PyObject *letter = PyDict_GetItemWithError(letters, type);
    if (letter == NULL) {
        if (!PyErr_Occurred()) {
            PyErr_SetObject(PyExc_KeyError, type);
        }
        return -1;
    }
    const long code = PyLong_AsLong(letter);
    if ((code < 0 || code > UINT8_MAX) && !PyErr_Occurred()) {
        PyErr_SetString(PyExc_ValueError, "a letter is no byte");
    }
    return PyErr_Occurred() ? -1 : code;
}

static int
write_codes(PyObject *tokens, PyObject *letters, char *codes)
{
    struct {
        PyObject *type;
        char code;
    } known[KINDS] = {0};
    for (Py_ssize_t place = 0; place < PyList_Size(tokens); place++) {
        PyObject *type = (PyObject *)Py_TYPE(PyList_GetItem(tokens, place));
        const size_t at = ((uintptr_t)type >> 5) % KINDS;
        if (known[at].type != type) {
            const long code = letter_of(letters, type);
            if (code < 0) {
                return -1;
            }
            known[at].type = type;
            known[at].code = (char)code;
        }
        codes[place] = known[at].code;
    }
    return 0;
}

PyObject *
token_codes(PyObject *Py_UNUSED(module), PyObject *const *arguments, Py_ssize_t count)
{
    if (expect_arguments("token_codes", count, 2) < 0) {
        return NULL;
    }
    if (!PyList_Check(arguments[0]) || !PyDict_Check(arguments[1])) {
        PyErr_SetString(PyExc_TypeError, "token_codes() takes a list and a dict");
        return NULL;
    }
    PyObject *codes = PyBytes_FromStringAndSize(NULL, PyList_Size(arguments[0]));
    if (codes != NULL && write_codes(arguments[0], arguments[1], PyBytes_AsString(codes)) < 0) {
        Py_CLEAR(codes);
    }
    return codes;
}

static inline int
is_one_of(char code, const char *codes)
{
    return code != '\0' && strchr(codes, code) != NULL;
}

/* Return how many letters a comment or an entity takes; 0 where its form is not known. Bytes end with a 0, so
   that nothing is read behind them. */
static Py_ssize_t
childless(const char *codes)
{
    static const char *const forms[] = {"Ktk", "Kk", "&t;", "&#t;", "&#ht;"};
    for (size_t form = 0; form < sizeof forms / sizeof *forms; form++) {
        const size_t length = strlen(forms[form]);
        if (strncmp(codes, forms[form], length) == 0) {
            return (Py_ssize_t)length;
        }
    }
    return 0;
}

/* What may stand open when a letter comes that separates, and whether it closes the node. The letter takes
   its place: what may follow is known by the last separator. */
static const struct {
    char letter;
    char closes;
    const char *open;
} steps[] = {
    {'s', 0, "{se"}, {'e', 0, "s"}, {'}', 1, "{se"}, {'w', 0, "["}, {']', 1, "[w"},
    {'x', 0, "<"}, {'>', 1, "<x"}, {'-', 1, "="}, {'A', 0, "TAE"}, {'E', 0, "A"},
    {'o', 0, "TAE"}, {'S', 1, "TAE"}, {'a', 0, "("}, {')', 1, "(a"},
};

/* Take one letter; `open` is the last node that is open. Returns how many letters were taken, 0 where the
   form is not known. */
static Py_ssize_t
step(const char *codes, Py_ssize_t place, char **open)
{
    const char *now = codes + place;
    switch (*now) {
    case 't':
        return 1;
    case 'T':
        if (now[1] != 't' || !is_one_of(now[2], "AoS")) {
            return 0;
        }
        /* Fall through. */
    case '{': case '(': case '[': case '<': case '=':
        *++*open = *now;
        return 1;
    case 'K': case '&':
        return childless(now);
    case 'Q':
        return place > 0 && now[-1] == 'E';
    case 'c':
        if (**open != 'o' || now[1] != 't' || now[2] != 'z') {
            return 0;
        }
        --*open;
        return 3;
    default:
        break;
    }
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        if (steps[i].letter == *now && is_one_of(**open, steps[i].open)) {
            if (steps[i].closes) {
                --*open;
            } else {
                **open = *now;
            }
            return 1;
        }
    }
    return 0;
}

/* Return whether letters are complete nodes in forms that are known, or -1 with the error set. */
static int
nest(const char *codes, Py_ssize_t length)
{
    char *stack = malloc((size_t)length + 1);
    if (stack == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    /* The bottom holds what nothing goes with. */
    char *open = stack;
    *open = '.';
    Py_ssize_t place = 0, taken = 1;
    while (place < length && taken > 0) {
        taken = step(codes, place, &open);
        place += taken;
    }
    const int is_complete = taken > 0 && open == stack;
    free(stack);
    return is_complete;
}

/* Return an entry of a token, borrowed; NULL where there is none, or with the error set. */
static PyObject *
entry(PyObject *token, const char *name)
{
    PyObject *key = PyUnicode_InternFromString(name);
    PyObject *value = NULL;
    if (key != NULL && PyDict_Check(token)) {
        value = PyDict_GetItemWithError(token, key);
    } else if (key != NULL) {
        PyErr_SetString(PyExc_TypeError, "a token is no dict");
    }
    Py_XDECREF(key);
    return value;
}

/* Return an entry that each such token has, borrowed, or NULL with the error set. */
static PyObject *
sure_entry(PyObject *token, const char *name)
{
    PyObject *value = entry(token, name);
    if (value == NULL && !PyErr_Occurred()) {
        PyErr_SetString(PyExc_KeyError, name);
    }
    return value;
}

/* The checks below return 1 where the value is legal, 0 where not, and -1 with the error set. */
static int
is_pad(PyObject *value)
{
    const int is_given = value == NULL ? (PyErr_Occurred() ? -1 : 0) : PyObject_IsTrue(value);
    if (is_given <= 0) {
        return is_given == 0 ? 1 : -1;
    }
    PyObject *answer = PyObject_CallMethod(value, "isspace", NULL);
    const int is_space = answer == NULL ? -1 : PyObject_IsTrue(answer);
    Py_XDECREF(answer);
    return is_space;
}

static int
are_pads(PyObject *token)
{
    if (!PyDict_Check(token)) {
        PyErr_SetString(PyExc_TypeError, "a token is no dict");
        return -1;
    }
    PyObject *name, *value;
    Py_ssize_t position = 0;
    int is_legal = 1;
    while (is_legal > 0 && PyDict_Next(token, &position, &name, &value)) {
        is_legal = is_pad(value);
    }
    return is_legal;
}

static int
is_level(PyObject *token)
{
    PyObject *level = sure_entry(token, "level");
    const long number = level == NULL ? -1 : PyLong_AsLong(level);
    return PyErr_Occurred() ? -1 : 1 <= number && number <= 6;
}

static int
is_quote(PyObject *token)
{
    PyObject *quote = sure_entry(token, "char");
    if (quote == NULL) {
        return -1;
    }
    return PyUnicode_Check(quote)
        && (PyUnicode_CompareWithASCIIString(quote, "'") == 0 || PyUnicode_CompareWithASCIIString(quote, "\"") == 0);
}

/* An unquoted value is one word. */
static int
is_word(PyObject *token)
{
    PyObject *value = sure_entry(token, "text");
    PyObject *words = value == NULL ? NULL : PyObject_CallMethod(value, "split", "Oi", Py_None, 1);
    if (words == NULL || !PyList_Check(words)) {
        Py_XDECREF(words);
        return -1;
    }
    const int is_one = PyList_Size(words) != 1 ? 0 : PyObject_RichCompareBool(PyList_GetItem(words, 0), value, Py_EQ);
    Py_DECREF(words);
    return is_one;
}

/* The text of a value, but not that within its nodes. */
static int
are_words(PyObject *tokens, const char *codes, Py_ssize_t place)
{
    Py_ssize_t depth = 0;
    for (; codes[place] != '\0'; place++) {
        const char code = codes[place];
        if (depth == 0 && code == 't') {
            const int is_legal = is_word(PyList_GetItem(tokens, place));
            if (is_legal <= 0) {
                return is_legal;
            }
        } else if (is_one_of(code, "{([<&=KT")) {
            depth++;
        } else if (depth == 0) {
            return 1;
        } else if (is_one_of(code, "})]>;-kSz")) {
            depth--;
        }
    }
    return 1;
}

static int
is_legal_at(PyObject *tokens, const char *codes, Py_ssize_t place)
{
    switch (codes[place]) {
    case 'A':
        return are_pads(PyList_GetItem(tokens, place));
    case 'o': case 'S':
        return is_pad(entry(PyList_GetItem(tokens, place), "padding"));
    case '=':
        return is_level(PyList_GetItem(tokens, place));
    case 'Q':
        return is_quote(PyList_GetItem(tokens, place));
    case 'E':
        return codes[place + 1] == 'Q' ? 1 : are_words(tokens, codes, place + 1);
    default:
        return 1;
    }
}

PyObject *
tokens_are_sound(PyObject *Py_UNUSED(module), PyObject *const *arguments, Py_ssize_t count)
{
    if (expect_arguments("tokens_are_sound", count, 2) < 0) {
        return NULL;
    }
    PyObject *tokens = arguments[0];
    if (!PyList_Check(tokens) || !PyBytes_Check(arguments[1])
        || PyList_Size(tokens) != PyBytes_Size(arguments[1])) {
        PyErr_SetString(PyExc_TypeError, "tokens_are_sound() takes a list, and bytes of the same length");
        return NULL;
    }
    const char *codes = PyBytes_AsString(arguments[1]);
    const Py_ssize_t length = PyBytes_Size(arguments[1]);
    int is_sound = nest(codes, length);
    for (Py_ssize_t place = 0; is_sound > 0 && place < length; place++) {
        is_sound = is_legal_at(tokens, codes, place);
    }
    return is_sound < 0 ? NULL : PyBool_FromLong(is_sound);
}
