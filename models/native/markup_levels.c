/* What is open in wikitext, and what becomes of it where nothing closes it, for markup.c. */
#include "markup.h"

Step
open_level(Scan *scan, Kind kind, Py_ssize_t behind)
{
    if (scan->depth == DEEPEST) {
        return UNPROVEN;
    }
    scan->depth++;
    *top(scan) = (Open){
        .kind = kind,
        .behind = behind,
        .text_start = scan->text_start,
        .levels = PyList_Size(scan->levels),
        .names = PyList_Size(scan->names),
        .was_in_heading = scan->is_in_heading,
    };
    memcpy(top(scan)->counts, scan->counts, sizeof scan->counts);
    return GOES_ON;
}

static int
is_of_template(Kind kind)
{
    return kind == NAME || kind == KEY || kind == VALUE;
}

/* Take what is not bold, within what is italic: as text at first, then as an apostrophe and the end. */
static Step
refuse_bold(Scan *scan)
{
    Open *italic = top(scan);
    if (italic->behind < 0) {
        return UNPROVEN;
    }
    italic->is_refused = 1;
    if (italic->is_again) {
        scan->depth--;
        scan->text_start = scan->place;
    }
    return GOES_ON;
}

/* Open as italic what was not bold, or what is read again since nothing ended it. */
static Step
open_italic(Scan *scan, const Open *opened)
{
    const int is_again = opened->kind == ITALIC;
    if ((is_again && (scan->depth > 0 || scan->met_open_quote)) || open_level(scan, ITALIC, opened->behind) != GOES_ON) {
        return UNPROVEN;
    }
    top(scan)->is_again = is_again;
    return add_name(scan, "i") == GOES_ON ? go_on(scan, opened->behind) : FAILED;
}

Step
fail(Scan *scan)
{
    for (;;) {
        Open opened = *top(scan);
        scan->patience -= scan->place - opened.behind;
        if (scan->patience < 0 || opened.behind < 0 || opened.kind == DEFAULT || (opened.kind == BODY && may_stay_open(scan, &opened))
            || PyList_SetSlice(scan->levels, opened.levels, PyList_Size(scan->levels), NULL) < 0
            || PyList_SetSlice(scan->names, opened.names, PyList_Size(scan->names), NULL) < 0) {
            return PyErr_Occurred() ? FAILED : UNPROVEN;
        }
        memcpy(scan->counts, opened.counts, sizeof scan->counts);
        scan->place = opened.behind;
        scan->text_start = opened.text_start;
        scan->is_in_heading = opened.was_in_heading;
        scan->depth--;
        if (opened.is_behind) {
            return end_heading(scan, opened.start, opened.behind);
        }
        const Kind around = top(scan)->kind;
        if (opened.kind == BOLD && around == ITALIC) {
            return refuse_bold(scan);
        }
        if (opened.kind == BOLD || (opened.kind == ITALIC && opened.is_refused && !opened.is_again)) {
            /* What is not bold may be italic, behind an apostrophe. */
            return open_italic(scan, &opened);
        }
        if (!is_of_template(opened.kind) || (around != NAME && around != TITLE)) {
            return GOES_ON;
        }
    }
}

Step
add_name_of(Scan *scan, Py_ssize_t start, Py_ssize_t end)
{
    scan->counts[TAGS]++;
    return append_part(scan->names, &scan->text, start, end) < 0 ? FAILED : GOES_ON;
}

Step
add_name(Scan *scan, const char *name)
{
    scan->counts[TAGS]++;
    PyObject *string = PyUnicode_FromString(name);
    const int failed = string == NULL || PyList_Append(scan->names, string) < 0;
    Py_XDECREF(string);
    return failed ? FAILED : GOES_ON;
}
