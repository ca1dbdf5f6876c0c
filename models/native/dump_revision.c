/* One revision of a dump, where it is written as MediaWiki writes it; expat, by batch/dump_parser.py, is the
   twin. Whatever is not known here to be well-formed, and to mean the same to expat, is left to expat. */
#include "functions.h"

#include <string.h>

/* What is still to be read. */
typedef struct {
    const char *at;
    const char *end;
} Rest;

/* What the functions below return; an error is set with FAILED alone. */
enum { FAILED = -1, OTHER = 0, READ = 1 };

enum { LONGEST_NAME = 12 };

/* Elements with a text that is kept; the text of `origin` is not. */
static const char *const LEAVES[] = {
    "comment", "format", "id", "ip", "minor", "model", "parentid", "sha1", "text", "timestamp", "username",
};

static const struct {
    const char *name;
    char character;
} ENTITIES[] = {{"&lt;", '<'}, {"&gt;", '>'}, {"&amp;", '&'}, {"&quot;", '"'}, {"&#039;", '\''}};

static int
is_leaf(const char *name)
{
    for (size_t i = 0; i < sizeof(LEAVES) / sizeof(*LEAVES); i++) {
        if (strcmp(name, LEAVES[i]) == 0) {
            return 1;
        }
    }
    return 0;
}

static int
is_blank(char character)
{
    return character == ' ' || character == '\n' || character == '\t';
}

static void
skip_blanks(Rest *rest)
{
    while (rest->at < rest->end && is_blank(*rest->at)) {
        rest->at++;
    }
}

static int
skip(Rest *rest, const char *expected)
{
    const size_t length = strlen(expected);
    if ((size_t)(rest->end - rest->at) < length || memcmp(rest->at, expected, length) != 0) {
        return OTHER;
    }
    rest->at += length;
    return READ;
}

/* Whether a value is free of what XML refuses, changes, or reads as more than characters; '&' is looked at by
   `copy_unescaped`. */
static int
is_plain(const char *from, const char *to)
{
    const uint8_t *bytes = (const uint8_t *)from;
    const Py_ssize_t length = to - from;
    uint8_t odd = 0;
    for (Py_ssize_t i = 0; i < length; i++) {
        odd |= (uint8_t)(((bytes[i] < ' ') & (bytes[i] != '\n') & (bytes[i] != '\t')) | (bytes[i] == '>'));
    }
    /* U+FFFE and U+FFFF end so, and few others. */
    for (Py_ssize_t i = 1; i < length; i++) {
        odd |= (uint8_t)((bytes[i - 1] == 0xBF) & ((bytes[i] & 0xFE) == 0xBE));
    }
    return !odd;
}

/* Return how many bytes were written, or -1 where there is another entity. */
static Py_ssize_t
copy_unescaped(const char *from, const char *to, char *into)
{
    const char *begin = into;
    while (from < to) {
        const char *entity = memchr(from, '&', (size_t)(to - from));
        const size_t length = (size_t)((entity == NULL ? to : entity) - from);
        memcpy(into, from, length);
        into += length;
        from += length;
        if (entity == NULL) {
            break;
        }
        Rest rest = {entity, to};
        size_t i = 0;
        while (i < sizeof(ENTITIES) / sizeof(*ENTITIES) && !skip(&rest, ENTITIES[i].name)) {
            i++;
        }
        if (i == sizeof(ENTITIES) / sizeof(*ENTITIES)) {
            return -1;
        }
        *into++ = ENTITIES[i].character;
        from = rest.at;
    }
    return into - begin;
}

/* Put a value into a dict. */
static int
keep(PyObject *dict, const char *name, const char *from, const char *to)
{
    if (!is_plain(from, to)) {
        return OTHER;
    }
    PyObject *value = NULL;
    if (memchr(from, '&', (size_t)(to - from)) == NULL) {
        value = PyUnicode_DecodeUTF8(from, to - from, NULL);
    } else {
        char *characters = PyMem_Malloc((size_t)(to - from));
        if (characters == NULL) {
            PyErr_NoMemory();
            return FAILED;
        }
        const Py_ssize_t length = copy_unescaped(from, to, characters);
        if (length >= 0) {
            value = PyUnicode_DecodeUTF8(characters, length, NULL);
        }
        PyMem_Free(characters);
        if (length < 0) {
            return OTHER;
        }
    }
    if (value == NULL) {
        if (!PyErr_ExceptionMatches(PyExc_UnicodeDecodeError)) {
            return FAILED;
        }
        PyErr_Clear();
        return OTHER;
    }
    const int is_set = PyDict_SetItemString(dict, name, value);
    Py_DECREF(value);
    return is_set < 0 ? FAILED : READ;
}

/* Read a name of ASCII letters; there is room for LONGEST_NAME and a zero. */
static int
read_name(Rest *rest, char *name)
{
    int length = 0;
    while (rest->at < rest->end && length < LONGEST_NAME
           && ((*rest->at >= 'a' && *rest->at <= 'z') || (length && (*rest->at == ':' || *rest->at == '1')))) {
        name[length++] = *rest->at++;
    }
    name[length] = 0;
    return length ? READ : OTHER;
}

/* Read the attributes of a tag up to its end, into a dict that is made if there are any. */
static int
read_attributes(Rest *rest, PyObject **attributes)
{
    while (rest->at < rest->end && is_blank(*rest->at)) {
        char name[LONGEST_NAME + 1];
        skip_blanks(rest);
        if (rest->at < rest->end && (*rest->at == '/' || *rest->at == '>')) {
            break;
        }
        if (!read_name(rest, name) || !skip(rest, "=\"")) {
            return OTHER;
        }
        const char *value = rest->at;
        while (rest->at < rest->end && *rest->at != '"' && *rest->at != '<' && (uint8_t)*rest->at >= ' ') {
            rest->at++;
        }
        if (rest->at == rest->end || *rest->at != '"') {
            return OTHER;
        }
        if (*attributes == NULL && (*attributes = PyDict_New()) == NULL) {
            return FAILED;
        }
        const Py_ssize_t before = PyDict_Size(*attributes);
        const int kept = keep(*attributes, name, value, rest->at++);
        if (kept != READ) {
            return kept;
        }
        if (PyDict_Size(*attributes) == before) {
            /* Twice the same: not well-formed. */
            return OTHER;
        }
    }
    return READ;
}

/* Put an object into a dict, and give it up. */
static int
give(PyObject *dict, const char *name, const char *suffix, PyObject *value)
{
    char key[LONGEST_NAME + 2];
    strcpy(key, name);
    strcat(key, suffix);
    const int is_set = PyDict_SetItemString(dict, key, value);
    Py_DECREF(value);
    return is_set < 0 ? FAILED : READ;
}

static int
skip_end_tag(Rest *rest, const char *name)
{
    return skip(rest, "</") && skip(rest, name) && skip(rest, ">");
}

static int read_elements(Rest *rest, PyObject *scope, int is_contributor);

/* Read what an element holds, behind its first tag, and its last tag. */
static int
read_content(Rest *rest, PyObject *scope, const char *name, int is_empty, int is_contributor)
{
    if (strcmp(name, "contributor") == 0 && !is_contributor) {
        PyObject *user = PyDict_New();
        if (user == NULL) {
            return FAILED;
        }
        int read = is_empty ? READ : read_elements(rest, user, 1);
        if (read == READ && !is_empty) {
            read = skip_end_tag(rest, name);
        }
        if (read != READ) {
            Py_DECREF(user);
            return read;
        }
        return give(scope, "user", "", user);
    }
    const int is_kept = is_leaf(name);
    if (!is_kept && strcmp(name, "origin") != 0) {
        return OTHER;
    }
    const char *from = rest->at;
    const char *to = is_empty ? from : memchr(from, '<', (size_t)(rest->end - from));
    if (to == NULL) {
        return OTHER;
    }
    rest->at = to;
    if (!is_empty && !skip_end_tag(rest, name)) {
        return OTHER;
    }
    if (!is_kept) {
        /* No more than a number is written there. */
        for (; from < to; from++) {
            if (*from < '0' || *from > '9') {
                return OTHER;
            }
        }
        return READ;
    }
    return keep(scope, name, from, to);
}

static int
read_element(Rest *rest, PyObject *scope, int is_contributor)
{
    char name[LONGEST_NAME + 1];
    PyObject *attributes = NULL;
    if (!skip(rest, "<") || !read_name(rest, name)) {
        return OTHER;
    }
    int read = read_attributes(rest, &attributes);
    if (read != READ) {
        Py_XDECREF(attributes);
        return read;
    }
    if (attributes != NULL) {
        read = give(scope, name, "@", attributes);
        if (read != READ) {
            return read;
        }
    }
    const int is_empty = skip(rest, "/>");
    if (!is_empty && !skip(rest, ">")) {
        return OTHER;
    }
    return read_content(rest, scope, name, is_empty, is_contributor);
}

/* Read elements, and the blanks around them, up to an end tag. */
static int
read_elements(Rest *rest, PyObject *scope, int is_contributor)
{
    for (;;) {
        skip_blanks(rest);
        if (rest->end - rest->at < 2) {
            return OTHER;
        }
        if (rest->at[1] == '/') {
            return READ;
        }
        const int read = read_element(rest, scope, is_contributor);
        if (read != READ) {
            return read;
        }
    }
}

static int
read_revision(Rest *rest, PyObject *scope)
{
    skip_blanks(rest);
    if (!skip(rest, "<revision>")) {
        return OTHER;
    }
    const int read = read_elements(rest, scope, 0);
    return read == READ ? skip(rest, "</revision>\n") : read;
}

static Py_ssize_t
count_lines(const char *from, const char *to)
{
    Py_ssize_t lines = 0;
    while (from < to) {
        /* So few that a byte can count them. */
        const Py_ssize_t length = Py_MIN(to - from, UINT8_MAX);
        uint8_t counted = 0;
        for (Py_ssize_t i = 0; i < length; i++) {
            counted += from[i] == '\n';
        }
        lines += counted;
        from += length;
    }
    return lines;
}

PyObject *
dump_revision(PyObject *Py_UNUSED(module), PyObject *const *arguments, Py_ssize_t count)
{
    char *bytes;
    Py_ssize_t length;
    if (expect_arguments("dump_revision", count, 2) < 0) {
        return NULL;
    }
    if (PyBytes_AsStringAndSize(arguments[0], &bytes, &length) < 0) {
        return NULL;
    }
    const Py_ssize_t start = PyLong_AsSsize_t(arguments[1]);
    if (start == -1 && PyErr_Occurred()) {
        return NULL;
    }
    if (start < 0 || start > length) {
        PyErr_Format(PyExc_ValueError, "%zd is no place in %zd bytes", start, length);
        return NULL;
    }
    PyObject *scope = PyDict_New();
    if (scope == NULL) {
        return NULL;
    }
    Rest rest = {bytes + start, bytes + length};
    const int read = read_revision(&rest, scope);
    PyObject *answer = NULL;
    if (read == READ) {
        answer = Py_BuildValue("Onn", scope, (Py_ssize_t)(rest.at - bytes), count_lines(bytes + start, rest.at));
    } else if (read == OTHER) {
        answer = Py_NewRef(Py_None);
    }
    Py_DECREF(scope);
    return answer;
}
