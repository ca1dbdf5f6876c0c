/* The nodes of wikitext, counted in one pass in the order in which mwparserfromhell's tokenizer reads; the twin
   is `scan_nodes_of` in models/engine/node_scan_of.py, which says what is left to the tokenizer. */
#include "markup.h"

/* What is looked at; all else is text. */
static const char MARKS[] = "{}[]<|=&':!\n";

/* Take what is read at the beginning of a line alone: marks of lists, and rules. */
static Step
begin_line(Scan *scan)
{
    Py_ssize_t place = scan->place;
    for (;; place++) {
        const Py_UCS4 mark = at(scan, place);
        if (!is_one_of(mark, "*#:;")) {
            break;
        }
        if (add_name(scan, mark == ':' ? "dd" : mark == ';' ? "dt" : "li") != GOES_ON) {
            return FAILED;
        }
        top(scan)->has_term |= mark == ';';
    }
    if (place > scan->place) {
        return go_on(scan, place);
    }
    while (at(scan, place) == '-') {
        place++;
    }
    if (place - scan->place < 4) {
        return GOES_ON;
    }
    return add_name(scan, "hr") == GOES_ON ? go_on(scan, place) : FAILED;
}

static int
is_at_line_start(const Scan *scan)
{
    return scan->place == 0 || at(scan, scan->place - 1) == '\n';
}

static Step
take_newline(Scan *scan)
{
    if (top(scan)->kind == HEADING || top(scan)->kind == CAPTION) {
        return fail(scan);
    }
    if (scan->is_in_heading) {
        return UNPROVEN;
    }
    scan->place++;
    top(scan)->has_term = top(scan)->has_cells = top(scan)->has_headers = top(scan)->may_have_style = 0;
    return begin_line(scan);
}

static Step
open_heading(Scan *scan)
{
    Py_ssize_t end = scan->place;
    while (at(scan, end) == '=') {
        end++;
    }
    if (open_level(scan, HEADING, end) != GOES_ON) {
        return UNPROVEN;
    }
    top(scan)->start = end - scan->place;
    scan->is_in_heading = 1;
    return go_on(scan, end);
}

/* Tell whether nothing behind a heading, on its line, opens anything or may be what ends it. */
static int
ends_heading(const Scan *scan, Py_ssize_t place)
{
    while (place < scan->text.length && at(scan, place) != '\n') {
        if (begins_comment(scan, place)) {
            place = behind_comment(scan, place);
            if (place < 0) {
                return 0;
            }
        } else if (is_one_of(at(scan, place), "={[<") || is_two(scan, place, '\'')) {
            return 0;
        } else {
            place++;
        }
    }
    return 1;
}

Step
end_heading(Scan *scan, Py_ssize_t level, Py_ssize_t behind)
{
    PyObject *number = PyLong_FromSsize_t(level);
    const int failed = number == NULL || PyList_Append(scan->levels, number) < 0;
    Py_XDECREF(number);
    scan->depth--;
    scan->is_in_heading = 0;
    scan->counts[HEADINGS]++;
    go_on(scan, behind);
    return failed ? FAILED : GOES_ON;
}

/* Close a heading, once it is known that nothing behind it on its line does so. */
static Step
close_heading(Scan *scan)
{
    Py_ssize_t end = scan->place;
    while (at(scan, end) == '=') {
        end++;
    }
    if (top(scan)->is_behind) {
        return UNPROVEN;
    }
    const Py_ssize_t level = Py_MIN(Py_MIN(end - scan->place, top(scan)->start), 6);
    if (ends_heading(scan, end)) {
        return end_heading(scan, level, end);
    }
    if (open_level(scan, HEADING, end) != GOES_ON) {
        return UNPROVEN;
    }
    top(scan)->is_behind = 1;
    top(scan)->start = level;
    return go_on(scan, end);
}

static Step
take_equals(Scan *scan)
{
    Open *opened = top(scan);
    const int may_open = !scan->is_in_heading && is_at_line_start(scan);
    if (opened->kind == KEY) {
        if (opened->has_template || opened->has_term) {
            return UNPROVEN;
        }
        if (may_open && at(scan, scan->place + 1) == '=') {
            return open_heading(scan);
        }
        opened->kind = VALUE;
        return go_on(scan, scan->place + 1);
    }
    if (may_open && opened->kind != VALUE) {
        return open_heading(scan);
    }
    if (opened->kind == HEADING) {
        return close_heading(scan);
    }
    scan->place++;
    return GOES_ON;
}

Step
take_ampersand(Scan *scan)
{
    Py_ssize_t end = scan->place;
    const Step step = take_entity(scan, end, &end);
    scan->place = end;
    return step;
}

Step
take_lesser(Scan *scan)
{
    if (at(scan, scan->place + 1) != '!') {
        return take_tag(scan);
    }
    const Py_ssize_t end = begins_comment(scan, scan->place) ? behind_comment(scan, scan->place) : -1;
    if (end < 0) {
        return UNPROVEN;
    }
    scan->counts[COMMENTS]++;
    return go_on(scan, end);
}

/* Take apostrophes: one is text, two and three make text italic and bold. */
Step
take_apostrophes(Scan *scan)
{
    Py_ssize_t end = scan->place;
    while (at(scan, end) == '\'') {
        end++;
    }
    const Py_ssize_t length = end - scan->place;
    const Kind kind = top(scan)->kind;
    if (length == 1) {
        scan->place++;
        return GOES_ON;
    }
    if ((kind == ITALIC && (length == 2 || length == 5)) || (kind == BOLD && (length == 3 || length == 5))) {
        scan->depth--;
        return go_on(scan, scan->place + (kind == ITALIC ? 2 : 3));
    }
    if (length == 4 || length > 5) {
        return UNPROVEN;
    }
    if (length != 3) {
        if (open_level(scan, ITALIC, length == 2 ? end : -1) != GOES_ON) {
            return UNPROVEN;
        }
        if (add_name(scan, "i") != GOES_ON) {
            return FAILED;
        }
    }
    if (length != 2) {
        if (open_level(scan, BOLD, end) != GOES_ON) {
            return UNPROVEN;
        }
        if (add_name(scan, "b") != GOES_ON) {
            return FAILED;
        }
    }
    return go_on(scan, end);
}

static Step
take_mark(Scan *scan)
{
    const Py_UCS4 mark = at(scan, scan->place);
    const int is_doubled = at(scan, scan->place + 1) == mark;
    const Kind kind = top(scan)->kind;
    switch (mark) {
    case '\n':
        return take_newline(scan);
    case '=':
        return take_equals(scan);
    case '{':
        return take_brace(scan);
    case ':':
        return take_colon(scan);
    case '\'':
        return take_apostrophes(scan);
    case '[':
        return is_doubled ? open_wikilink(scan) : open_external_link(scan);
    case '&':
        return take_ampersand(scan);
    case '<':
        return take_lesser(scan);
    case '}':
        if (is_doubled && is_in_template(scan)) {
            scan->depth--;
            return go_on(scan, scan->place + 2);
        }
        if (kind == DEFAULT && is_doubled && at(scan, scan->place + 2) == '}') {
            scan->depth--;
            return go_on(scan, scan->place + 3);
        }
        break;
    case ']':
        if (kind == CAPTION || (is_doubled && kind == SHOWN)) {
            scan->depth--;
            return go_on(scan, scan->place + (kind == CAPTION ? 1 : 2));
        }
        break;
    case '!':
        if (is_of_table(kind)) {
            return take_in_table(scan);
        }
        break;
    case '|':
        if (is_of_table(kind)) {
            return take_in_table(scan);
        }
        if (is_in_template(scan)) {
            if (top(scan)->has_term) {
                return UNPROVEN;
            }
            top(scan)->kind = KEY;
            top(scan)->has_template = 0;
            return go_on(scan, scan->place + 1);
        }
        break;
    default:
        break;
    }
    scan->place++;
    return GOES_ON;
}

static Step
scan_all(Scan *scan)
{
    char is_mark[0x80] = {0};
    for (const char *mark = MARKS; *mark; mark++) {
        is_mark[(int)*mark] = 1;
    }
    for (Py_ssize_t place = 0; place < scan->text.length; place++) {
        if (scan->text.characters[place] == 0) {
            return UNPROVEN;
        }
    }
    Step step = begin_line(scan);
    while (step == GOES_ON && (scan->place < scan->text.length || scan->depth > 0)) {
        const Kind kind = top(scan)->kind;
        const Py_UCS4 next = at(scan, scan->place);
        if (scan->place >= scan->text.length) {
            scan->met_end = 1;
            step = fail(scan);
        } else if (kind == NAME) {
            step = take_in_name(scan);
        } else if (kind == TITLE) {
            step = take_in_title(scan);
        } else if (kind == ADDRESS) {
            step = take_in_address(scan);
        } else if (next < 0x80 && is_mark[next]) {
            step = take_mark(scan);
        } else {
            scan->place++;
        }
    }
    return step;
}

static PyObject *
answer(const Scan *scan)
{
    const long *counts = scan->counts;
    const Py_ssize_t length = scan->text.length;
    const int is_closed = !scan->met_end && length > 0 && at(scan, length - 1) == '\n';
    return Py_BuildValue("((llllllll)OOO)", counts[HEADINGS], counts[WIKILINKS], counts[EXTERNAL_LINKS],
                         counts[TEMPLATES], counts[TAGS], counts[ARGUMENTS], counts[COMMENTS],
                         counts[ENTITIES], scan->levels, scan->names, is_closed ? Py_True : Py_False);
}

PyObject *
scan_nodes(PyObject *Py_UNUSED(module), PyObject *const *arguments, Py_ssize_t count)
{
    Scan scan = {.depth = 0};
    if (expect_arguments("scan_nodes", count, 2) < 0
        || open_text(arguments[0], arguments[1], &scan.text) < 0) {
        return NULL;
    }
    PyObject *told = NULL;
    scan.patience = 4 * scan.text.length;
    scan.levels = PyList_New(0);
    scan.names = PyList_New(0);
    if (scan.levels != NULL && scan.names != NULL) {
        const Step step = scan_all(&scan);
        if (step == UNPROVEN) {
            told = Py_None;
            Py_INCREF(told);
        } else if (step == GOES_ON) {
            told = answer(&scan);
        }
    }
    Py_XDECREF(scan.levels);
    Py_XDECREF(scan.names);
    close_text(&scan.text);
    return told;
}
