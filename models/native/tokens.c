/* The lexicon of wikitext, rule by rule; the expression that does the same is in models/engine/tokens.py,
   and so are the classes of characters. */
#include "functions.h"

#include <string.h>

enum { SPACE = 1, DIGIT = 2, BEGINS_WORD = 4, IN_WORD = 8, ALONE = 16 };
enum { ASCII = 0x80, APOSTROPHE = 0x2019 };
/* Where a token cannot be told, the expression has to. */
enum { UNTOLD = -1 };
/* Letters of the shortest protocol of an address, before its colon. */
enum { PROTOCOL = 3 };

static inline int
is_at(const Text *text, Py_ssize_t place, Py_UCS4 character)
{
    return place < text->length && text->characters[place] == character;
}

static inline int
is_lower(const Text *text, Py_ssize_t place)
{
    return place < text->length && text->characters[place] >= 'a' && text->characters[place] <= 'z';
}

/* Return where characters of a class end, or UNTOLD where one comes that is not known. */
static Py_ssize_t
behind_class(const Text *text, Py_ssize_t place, uint8_t class)
{
    for (; place < text->length; place++) {
        const Py_UCS4 character = text->characters[place];
        if (character >= text->known) {
            return UNTOLD;
        }
        if (!(text->classes[character] & class)) {
            break;
        }
    }
    return place;
}

static Py_ssize_t
behind_same(const Text *text, Py_ssize_t start)
{
    Py_ssize_t place = start + 1;
    while (is_at(text, place, text->characters[start])) {
        place++;
    }
    return place;
}

/* A line feed goes with all the space behind it that ends in another, or is alone. */
static Py_ssize_t
behind_break(const Text *text, Py_ssize_t start)
{
    Py_ssize_t last = start;
    for (Py_ssize_t place = start + 1; place < text->length; place++) {
        const Py_UCS4 character = text->characters[place];
        if (character >= text->known || character == '\r') {
            return UNTOLD;
        }
        if (!(text->classes[character] & SPACE)) {
            break;
        }
        if (character == '\n') {
            last = place;
        }
    }
    return last + 1;
}

/* Spaces that break no line. */
static Py_ssize_t
behind_spaces(const Text *text, Py_ssize_t place)
{
    for (; place < text->length; place++) {
        const Py_UCS4 character = text->characters[place];
        if (character >= text->known) {
            return UNTOLD;
        }
        if (!(text->classes[character] & SPACE) || character == '\n' || character == '\r') {
            break;
        }
    }
    return place;
}

/* What follows an apostrophe goes with the word; so does an apostrophe before space, and the last of all. */
static Py_ssize_t
behind_word(const Text *text, Py_ssize_t start)
{
    Py_ssize_t place = behind_class(text, start, IN_WORD);
    if (is_at(text, place, ':') && place - start >= PROTOCOL && is_lower(text, start)) {
        return UNTOLD;
    }
    while (place != UNTOLD && (is_at(text, place, '\'') || is_at(text, place, APOSTROPHE))) {
        const Py_ssize_t next = place + 1;
        if (next == text->length) {
            return next;
        }
        if (text->characters[next] >= text->known) {
            return UNTOLD;
        }
        const uint8_t class = text->classes[text->characters[next]];
        if (!(class & IN_WORD)) {
            return class & SPACE ? next : place;
        }
        place = behind_class(text, next, IN_WORD);
    }
    return place;
}

/* An address without a protocol, if one begins at the two slashes here; the first of them if not. */
static Py_ssize_t
behind_address(const Text *text, Py_ssize_t start)
{
    Py_ssize_t place = start + 2;
    if (place == text->length) {
        return start + 1;
    }
    for (; place < text->length; place++) {
        const Py_UCS4 character = text->characters[place];
        if (character >= text->known) {
            return UNTOLD;
        }
        const int is_first = place == start + 2;
        const char *refused = is_first ? "/$.?#" : "|<>{}";
        if (text->classes[character] & SPACE
            || (character != 0 && character < ASCII && strchr(refused, (int)character) != NULL)) {
            return is_first ? start + 1 : place;
        }
    }
    return place;
}

static Py_ssize_t
behind_entity(const Text *text, Py_ssize_t start)
{
    Py_ssize_t place = start + 1;
    if (!is_lower(text, place)) {
        return start + 1;
    }
    while (is_lower(text, place)
           || (place < text->length && text->characters[place] >= '0' && text->characters[place] <= '9')) {
        place++;
    }
    return is_at(text, place, ';') ? place + 1 : start + 1;
}

static Py_ssize_t
behind_sign(const Text *text, Py_ssize_t start)
{
    const Py_UCS4 sign = text->characters[start];
    const Py_ssize_t next = start + 1;
    const int is_twice = is_at(text, next, sign);
    switch (sign) {
    case '=': case '.': case '?': case '!': case ',': case ':': case ';':
        return behind_same(text, start);
    case '/':
        return is_twice ? behind_address(text, start) : next;
    case '&':
        return behind_entity(text, start);
    case '<':
        if (is_lower(text, next) || is_at(text, next, '/')) {
            return UNTOLD;
        }
        return is_at(text, next, '!') && is_at(text, next + 1, '-') && is_at(text, next + 2, '-') ? start + 4 : next;
    case '-':
        return is_twice && is_at(text, next + 1, '>') ? start + 3 : next;
    case '\'':
        return is_twice ? next + 1 + is_at(text, next + 1, sign) : next;
    case '{':
        return next + (is_twice || is_at(text, next, '|'));
    case '[': case ']': case '}':
        return next + is_twice;
    default:
        return next;
    }
}

static Py_ssize_t
behind_token(const Text *text, Py_ssize_t start)
{
    const Py_UCS4 first = text->characters[start];
    if (first >= text->known || first == '\r') {
        return UNTOLD;
    }
    if (first == '\n') {
        return behind_break(text, start);
    }
    const uint8_t class = text->classes[first];
    if (class & SPACE) {
        return behind_spaces(text, start);
    }
    if (class & DIGIT) {
        return behind_class(text, start, DIGIT);
    }
    if (class & ALONE) {
        return start + 1;
    }
    if (class & BEGINS_WORD) {
        return behind_word(text, start);
    }
    return first < ASCII ? behind_sign(text, start) : start + 1;
}

/* Return where the token ends that the expression finds, the start where it finds none, or -1 with the error
   set. */
static Py_ssize_t
matched(PyObject *match, const Text *text, Py_ssize_t start)
{
    PyObject *found = PyObject_CallFunction(match, "On", text->object, start);
    if (found == NULL || found == Py_None) {
        Py_XDECREF(found);
        return found == NULL ? -1 : start;
    }
    PyObject *place = PyObject_CallMethod(found, "end", NULL);
    Py_DECREF(found);
    if (place == NULL) {
        return -1;
    }
    const Py_ssize_t end = PyLong_AsSsize_t(place);
    Py_DECREF(place);
    if (!PyErr_Occurred() && (end <= start || end > text->length)) {
        PyErr_SetString(PyExc_ValueError, "the expression finds tokens that are not in the text behind the last");
    }
    return PyErr_Occurred() ? -1 : end;
}

static int
split(const Text *text, PyObject *match, PyObject *tokens)
{
    for (Py_ssize_t start = 0, end; start < text->length; start = end) {
        end = behind_token(text, start);
        if (end == UNTOLD && (end = matched(match, text, start)) < 0) {
            return -1;
        }
        if (end == start) {
            end++;
        } else if (append_part(tokens, text, start, end) < 0) {
            return -1;
        }
    }
    return 0;
}

PyObject *
split_tokens(PyObject *Py_UNUSED(module), PyObject *const *arguments, Py_ssize_t count)
{
    Text text;
    if (expect_arguments("split_tokens", count, 3) < 0 || open_text(arguments[0], arguments[1], &text) < 0) {
        return NULL;
    }
    PyObject *tokens = PyList_New(0);
    if (tokens != NULL && split(&text, arguments[2], tokens) < 0) {
        Py_CLEAR(tokens);
    }
    close_text(&text);
    return tokens;
}
