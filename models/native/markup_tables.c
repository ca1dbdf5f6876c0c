/* Tables, for markup.c. */
#include "markup.h"

/* Open what is left to the tokenizer where nothing closes it. */
static Step
open_part(Scan *scan, Kind kind, const char *name, Py_ssize_t place)
{
    if (open_level(scan, kind, -1) != GOES_ON) {
        return UNPROVEN;
    }
    return add_name(scan, name) == GOES_ON ? go_on(scan, place) : FAILED;
}

/* Open a table or a row, with the attributes on its line. */
static Step
open_with_style(Scan *scan, Kind kind, const char *name)
{
    const Py_ssize_t end = behind_style(scan, scan->place + 2, '\n');
    return end < 0 ? UNPROVEN : open_part(scan, kind, name, end);
}

Step
open_wikitable(Scan *scan)
{
    const Py_ssize_t blanks = blanks_before(scan, scan->place);
    if (blanks < 0) {
        scan->place++;
        return GOES_ON;
    }
    return blanks > 0 || scan->is_in_heading ? UNPROVEN : open_with_style(scan, TABLE, "table");
}

static Step
open_cell(Scan *scan, int is_header, Py_ssize_t length)
{
    const Step step = open_part(scan, CELL, is_header ? "th" : "td", scan->place + length);
    if (step == GOES_ON) {
        Open *cell = top(scan);
        cell->start = scan->place;
        cell->may_have_style = 1;
        cell->has_headers = is_header;
        cell->has_cells = !is_header;
    }
    return step;
}

/* Go on at the same place around a cell, whose kind the line keeps. */
static Step
close_cell(Scan *scan)
{
    const Open *cell = top(scan);
    const int has_cells = cell->has_cells, has_headers = cell->has_headers;
    scan->depth--;
    top(scan)->has_cells |= has_cells;
    top(scan)->has_headers |= has_headers;
    return go_on(scan, scan->place);
}

/* Read what stood in a cell so far as its attributes, and begin it anew. */
static Step
take_style(Scan *scan)
{
    Open *cell = top(scan);
    if (behind_style(scan, cell->start, '|') != scan->place
        || PyList_SetSlice(scan->levels, cell->levels, PyList_Size(scan->levels), NULL) < 0
        || PyList_SetSlice(scan->names, cell->names + 1, PyList_Size(scan->names), NULL) < 0) {
        return PyErr_Occurred() ? FAILED : UNPROVEN;
    }
    memcpy(scan->counts, cell->counts, sizeof scan->counts);
    scan->counts[TAGS]++;
    cell->may_have_style = 0;
    return go_on(scan, scan->place + 1);
}

/* Take a mark at the beginning of a line. */
static Step
take_at_line_start(Scan *scan, Py_UCS4 mark, Py_UCS4 next)
{
    const Kind kind = top(scan)->kind;
    if (kind == CELL) {
        return close_cell(scan);
    }
    if (mark == '!' || (next != '}' && next != '-')) {
        return open_cell(scan, mark == '!', 1);
    }
    if (kind == ROW) {
        scan->depth--;
        return go_on(scan, scan->place);
    }
    if (next == '-') {
        return open_with_style(scan, ROW, "tr");
    }
    scan->depth--;
    return go_on(scan, scan->place + 2);
}

Step
take_in_table(Scan *scan)
{
    const Py_UCS4 mark = at(scan, scan->place), next = at(scan, scan->place + 1);
    const Open *opened = top(scan);
    if (mark == next && (opened->has_headers || (mark == '|' && opened->has_cells))) {
        return opened->kind == CELL ? close_cell(scan)
                                    : open_cell(scan, mark == '!' || !opened->has_cells, 2);
    }
    if (mark == '|' && opened->may_have_style) {
        return take_style(scan);
    }
    const Py_ssize_t blanks = blanks_before(scan, scan->place);
    if (blanks < 0) {
        scan->place++;
        return GOES_ON;
    }
    return blanks > 0 ? UNPROVEN : take_at_line_start(scan, mark, next);
}
