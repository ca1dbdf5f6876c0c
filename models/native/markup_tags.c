/* Tags as in HTML, for markup.c. The lists are those of mwparserfromhell's definitions; models/engine/node_scan.py
   holds them against the installed ones. */
#include "markup.h"

static const char *const VOID_TAGS[] = {"br", "wbr", "hr", "meta", "link", "img", NULL};
static const char *const OPTIONAL_TAGS[] = {"li", "dt", "dd", "th", "td", "tr", NULL};
static const char *const UNPARSED_TAGS[] = {
    "categorytree", "ce", "chem", "gallery", "graph", "hiero", "imagemap", "inputbox", "math", "nowiki",
    "pre", "score", "section", "source", "syntaxhighlight", "templatedata", "timeline", NULL,
};

static Py_ssize_t
behind_name(const Scan *scan, Py_ssize_t place)
{
    while (is_letter(at(scan, place)) || is_digit(at(scan, place))) {
        place++;
    }
    return place;
}

static int
ends_tag(const Scan *scan, Py_ssize_t place)
{
    return at(scan, place) == '>' || (at(scan, place) == '/' && at(scan, place + 1) == '>');
}

static int
is_blank(Py_UCS4 character)
{
    return character == ' ' || character == '\t' || character == '\n';
}

static Py_ssize_t
behind_blanks(const Scan *scan, Py_ssize_t place)
{
    while (is_blank(at(scan, place))) {
        place++;
    }
    return place;
}

/* Return where a quoted value ends; -1 for one of an unusual form, 0 where the quote stays open. */
static Py_ssize_t
behind_quoted(Scan *scan, Py_ssize_t place, Py_UCS4 end)
{
    const Py_UCS4 quote = at(scan, place);
    int is_plain = 1;
    for (place++; place < scan->text.length && at(scan, place) != quote; place++) {
        is_plain &= at(scan, place) != end && !is_one_of(at(scan, place), "\n\\<>{}[]");
    }
    if (place < scan->text.length) {
        return is_plain ? place + 1 : -1;
    }
    /* No such quote follows at all, so the tokenizer comes back from the end of the text. */
    scan->met_end = scan->met_open_quote = 1;
    return end == 0 && !scan->is_in_heading ? 0 : -1;
}

/* Return where the value of an attribute ends, at the latest at a character; -1 for one of an unusual form. */
static Py_ssize_t
behind_value(Scan *scan, Py_ssize_t place, Py_UCS4 end)
{
    const Py_ssize_t start = place;
    if (is_one_of(at(scan, place), "\"'")) {
        const Py_ssize_t behind = behind_quoted(scan, place, end);
        if (behind != 0) {
            return behind;
        }
        place++;
    }
    while (!ends_tag(scan, place) && !is_space(scan, at(scan, place)) && at(scan, place) != end) {
        if (is_one_of(at(scan, place), "\\<>{}[]\"'=") || at(scan, place) == 0) {
            return -1;
        }
        place++;
    }
    return place > start ? place : -1;
}

/* Return where an attribute ends, with its value at the latest at a character; -1 for one of an unusual form. */
static Py_ssize_t
behind_attribute(Scan *scan, Py_ssize_t place, Py_UCS4 end)
{
    while (behind_name(scan, place) > place || is_one_of(at(scan, place), "-_:.")) {
        place++;
    }
    Py_ssize_t equals = place;
    while (is_blank(at(scan, equals)) && at(scan, equals) != end) {
        equals++;
    }
    if (at(scan, equals) != '=') {
        return place;
    }
    for (equals++; is_blank(at(scan, equals)) && at(scan, equals) != end;) {
        equals++;
    }
    return behind_value(scan, equals, end);
}

/* Return where the attributes of a tag end, with the blanks behind them; -1 for unusual forms. */
static Py_ssize_t
behind_attributes(Scan *scan, Py_ssize_t place)
{
    for (;;) {
        const Py_ssize_t start = behind_blanks(scan, place);
        if (ends_tag(scan, start)) {
            return start;
        }
        if (start == place || !is_letter(at(scan, start))) {
            return -1;
        }
        place = behind_attribute(scan, start, 0);
        if (place < 0) {
            return -1;
        }
    }
}

Py_ssize_t
behind_style(Scan *scan, Py_ssize_t place, Py_UCS4 end)
{
    for (;;) {
        while (at(scan, place) == ' ' || at(scan, place) == '\t') {
            place++;
        }
        if (at(scan, place) == end) {
            return place;
        }
        if (!is_letter(at(scan, place)) && at(scan, place) != '-') {
            return -1;
        }
        place = behind_attribute(scan, place, end);
        if (place < 0 || (at(scan, place) != ' ' && at(scan, place) != '\t' && at(scan, place) != end)) {
            return -1;
        }
    }
}

/* Tell whether a closing tag has the name of the one that was opened, whatever its case. */
static int
is_same_name(const Scan *scan, const Open *tag, Py_ssize_t place)
{
    for (Py_ssize_t each = tag->start; each < tag->end; each++, place++) {
        const Py_UCS4 one = at(scan, each), other = at(scan, place);
        if (one != other && (!is_letter(one) || (one | 0x20) != (other | 0x20))) {
            return 0;
        }
    }
    return at(scan, place) == '>';
}

static int
is_ascii(const Scan *scan, Py_ssize_t start, Py_ssize_t end)
{
    for (; start < Py_MIN(end, scan->text.length); start++) {
        if (at(scan, start) >= 0x80) {
            return 0;
        }
    }
    return 1;
}

/* Take "</" with a name: the end of a tag, of another than was opened, or text. */
static Step
close_tag(Scan *scan)
{
    const Open *tag = top(scan);
    const Py_ssize_t start = scan->place + 2, end = behind_name(scan, start);
    if (at(scan, end) != '>' || end == start) {
        return UNPROVEN;
    }
    if (tag->kind != BODY) {
        if (is_listed(scan, start, end, VOID_TAGS)) {
            return UNPROVEN;
        }
        scan->place = start;
        return GOES_ON;
    }
    if (!is_same_name(scan, tag, start)) {
        return fail(scan);
    }
    scan->depth--;
    return go_on(scan, end + 1);
}

/* Take what stands in a tag within which nothing but entities is read. */
static Step
take_unparsed(Scan *scan)
{
    const Open *tag = top(scan);
    while (scan->place < scan->text.length) {
        const Py_ssize_t start = scan->place + 2, end = start + tag->end - tag->start;
        if (at(scan, scan->place) == '&') {
            const Step step = take_ampersand(scan);
            if (step != GOES_ON) {
                return step;
            }
        } else if (at(scan, scan->place) != '<' || at(scan, scan->place + 1) != '/') {
            scan->place++;
        } else if (is_same_name(scan, tag, start)) {
            scan->depth--;
            return go_on(scan, end + 1);
        } else if (is_space(scan, at(scan, end)) || !is_ascii(scan, start, end)) {
            /* Names are compared without spaces behind them, and in small letters, which some others share. */
            return UNPROVEN;
        } else {
            scan->place = start;
        }
    }
    scan->met_end = 1;
    return fail(scan);
}

static Py_ssize_t
behind_tag_name(const Scan *scan, Py_ssize_t place)
{
    while (at(scan, place) != 0 && !is_one_of(at(scan, place), "{}[]<>|=&'#*;:/-!\n")
           && !is_space(scan, at(scan, place))) {
        place++;
    }
    return place;
}

Step
take_tag(Scan *scan)
{
    const Py_ssize_t start = scan->place + 1;
    if (at(scan, start) == '/') {
        return close_tag(scan);
    }
    const Py_ssize_t end = behind_tag_name(scan, start);
    const int is_named = ends_tag(scan, end) || (at(scan, end) != '\n' && is_space(scan, at(scan, end)));
    if (end == start || !is_named) {
        /* No name may hold what stands here. */
        scan->place = start;
        return GOES_ON;
    }
    const Py_ssize_t closing =
        is_letter(at(scan, start)) && behind_name(scan, start) == end ? behind_attributes(scan, end) : -1;
    if (closing < 0) {
        return UNPROVEN;
    }
    const int closes_itself = at(scan, closing) == '/';
    if (!closes_itself && !is_listed(scan, start, end, VOID_TAGS)) {
        if (open_level(scan, BODY, start) != GOES_ON) {
            return UNPROVEN;
        }
        top(scan)->start = start;
        top(scan)->end = end;
    }
    if (add_name_of(scan, start, end) != GOES_ON) {
        return FAILED;
    }
    go_on(scan, closing + 1 + closes_itself);
    return !closes_itself && is_listed(scan, start, end, UNPARSED_TAGS) ? take_unparsed(scan) : GOES_ON;
}

/* Tell whether a tag needs no end. */
int
may_stay_open(const Scan *scan, const Open *tag)
{
    return is_listed(scan, tag->start, tag->end, OPTIONAL_TAGS);
}
