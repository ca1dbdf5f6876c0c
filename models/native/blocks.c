/* Parts of a text that are analysed apart; the twin is `split_blocks_of` in models/engine/blocks.py, which says
   what a block is. */
#include "functions.h"

enum { SPACE = 2, OTHER_BREAK = 4 };
enum { LINES = 4 };

static inline int
class_of(const Text *text, Py_ssize_t place)
{
    const Py_UCS4 character = text->characters[place];
    return character < text->known ? text->classes[character] : 0;
}

static int
has_other_breaks(const Text *text)
{
    for (Py_ssize_t place = 0; place < text->length; place++) {
        if (class_of(text, place) & OTHER_BREAK) {
            return 1;
        }
    }
    return 0;
}

/* Return where a line ends, with the blank lines behind it. */
static Py_ssize_t
behind_line(const Text *text, Py_ssize_t place)
{
    while (place < text->length && text->characters[place] != '\n') {
        place++;
    }
    place = Py_MIN(place + 1, text->length);
    Py_ssize_t end = place;
    for (; place < text->length && class_of(text, place) & SPACE; place++) {
        if (text->characters[place] == '\n') {
            end = place + 1;
        }
    }
    return end;
}

/* Return whether a tag is open at the end of a line, which was open at its beginning or not. */
static int
leaves_tag_open(const Text *text, Py_ssize_t start, Py_ssize_t end, int was_open)
{
    Py_ssize_t behind = end;
    while (behind > start && text->characters[behind - 1] != '>') {
        behind--;
    }
    if (was_open && behind == start) {
        return 1;
    }
    for (Py_ssize_t place = behind; place < end; place++) {
        if (text->characters[place] == '<') {
            Py_ssize_t name = place + 1;
            name += name < end && text->characters[name] == '/';
            if (name < end && text->characters[name] >= 'a' && text->characters[name] <= 'z') {
                return 1;
            }
        }
    }
    return 0;
}

static int
ends_block(const Text *text, Py_ssize_t start, Py_ssize_t end)
{
    const Py_UCS4 *characters = text->characters;
    return (end - start) % LINES == 0
        || (end - start > 1 && characters[end - 1] == '\n' && characters[end - 2] == '\n');
}

static int
split(const Text *text, PyObject *blocks)
{
    Py_ssize_t block = 0, line = 0;
    int is_open = 0;
    for (Py_ssize_t start = 0, end; start < text->length; start = end) {
        end = behind_line(text, start);
        is_open = leaves_tag_open(text, start, end, is_open);
        if (is_open) {
            continue;
        }
        if (ends_block(text, line, end)) {
            if (append_part(blocks, text, block, end) < 0) {
                return -1;
            }
            block = end;
        }
        line = end;
    }
    return block < text->length ? append_part(blocks, text, block, text->length) : 0;
}

PyObject *
split_blocks(PyObject *Py_UNUSED(module), PyObject *const *arguments, Py_ssize_t count)
{
    Text text;
    if (expect_arguments("split_blocks", count, 2) < 0 || open_text(arguments[0], arguments[1], &text) < 0) {
        return NULL;
    }
    PyObject *blocks = PyList_New(0);
    if (blocks != NULL
        && (has_other_breaks(&text) ? append_part(blocks, &text, 0, text.length) : split(&text, blocks)) < 0) {
        Py_CLEAR(blocks);
    }
    close_text(&text);
    return blocks;
}
