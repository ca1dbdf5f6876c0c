/* Templates, their arguments, and links, for markup.c. */
#include "markup.h"

/* Take "{{{" and a plain name behind it. */
static Step
open_argument(Scan *scan)
{
    const Py_ssize_t start = scan->place + 3;
    Py_ssize_t place = start;
    while (place < scan->text.length && !is_one_of(at(scan, place), "{}[]<>|&'\n")) {
        place++;
    }
    if (place == start) {
        return UNPROVEN;
    }
    if (is_two(scan, place, '}') && at(scan, place + 2) == '}') {
        scan->counts[ARGUMENTS]++;
        return go_on(scan, place + 3);
    }
    if (at(scan, place) != '|' || open_level(scan, DEFAULT, start) != GOES_ON) {
        return UNPROVEN;
    }
    scan->counts[ARGUMENTS]++;
    return go_on(scan, place + 1);
}

/* Take braces: two open a template, three an argument. */
Step
take_brace(Scan *scan)
{
    Py_ssize_t end = scan->place;
    while (at(scan, end) == '{') {
        end++;
    }
    const Py_ssize_t length = end - scan->place;
    if (length > 3) {
        return UNPROVEN;
    }
    if (length == 1 && at(scan, end) == '|') {
        return open_wikitable(scan);
    }
    if (length == 1) {
        scan->place++;
        return GOES_ON;
    }
    top(scan)->has_template = 1;
    if (length == 3) {
        return open_argument(scan);
    }
    if (open_level(scan, NAME, end) != GOES_ON) {
        return UNPROVEN;
    }
    scan->counts[TEMPLATES]++;
    return go_on(scan, end);
}

/* Take what may stand in the name of a template and in the title of a link alike. */
static Step
take_in_either(Scan *scan)
{
    const Py_UCS4 next = at(scan, scan->place);
    if (next == '{') {
        return at(scan, scan->place + 1) == '{' ? take_brace(scan) : fail(scan);
    }
    if (next == '[' || next == ']' || next == '}' || next == '>') {
        return fail(scan);
    }
    if (next == '<') {
        return begins_comment(scan, scan->place) ? take_lesser(scan) : fail(scan);
    }
    if (next == '&') {
        return take_ampersand(scan);
    }
    if (next == '\'') {
        return take_apostrophes(scan);
    }
    scan->place++;
    return GOES_ON;
}

Step
take_in_name(Scan *scan)
{
    const Py_ssize_t place = scan->place;
    const Py_UCS4 next = at(scan, place);
    Open *name = top(scan);
    if (next == '|' || is_two(scan, place, '}')) {
        if (!name->has_text && !name->has_template) {
            return fail(scan);
        }
        name->kind = KEY;
        name->has_template = 0;
        if (next == '}') {
            scan->depth--;
        }
        return go_on(scan, place + (next == '}' ? 2 : 1));
    }
    if (is_space(scan, next)) {
        name->has_ended |= name->has_text && next == '\n';
        scan->place++;
        return GOES_ON;
    }
    if (is_one_of(next, "{}[]<>")) {
        return take_in_either(scan);
    }
    if (name->has_ended) {
        return fail(scan);
    }
    if (at(scan, place - 1) == '\n' && is_one_of(next, "*#:;-")) {
        return UNPROVEN;
    }
    name->has_text = 1;
    return take_in_either(scan);
}

Step
take_in_title(Scan *scan)
{
    const Py_UCS4 next = at(scan, scan->place);
    if (next == '\n') {
        return fail(scan);
    }
    if (next == '|') {
        top(scan)->kind = SHOWN;
        return go_on(scan, scan->place + 1);
    }
    if (is_two(scan, scan->place, ']')) {
        scan->depth--;
        return go_on(scan, scan->place + 2);
    }
    return take_in_either(scan);
}

Step
open_wikilink(Scan *scan)
{
    const Py_ssize_t behind = scan->place + 2;
    if (behind_scheme(scan, behind) >= 0 || open_level(scan, TITLE, behind) != GOES_ON) {
        return UNPROVEN;
    }
    scan->counts[WIKILINKS]++;
    return go_on(scan, behind);
}

/* Take the address of a link in brackets, or a bracket alone. */
Step
open_external_link(Scan *scan)
{
    Py_ssize_t place = top(scan)->kind == CAPTION ? -1 : behind_scheme(scan, scan->place + 1);
    if (place < 0) {
        scan->place++;
        return GOES_ON;
    }
    const Py_ssize_t start = place, behind = scan->place + 1;
    const long entities = scan->counts[ENTITIES];
    const Py_ssize_t text_start = scan->text_start;
    while (at(scan, place) != ' ' && at(scan, place) != ']') {
        const Py_UCS4 next = at(scan, place);
        if (next == 0 || next == '\n') {
            scan->counts[ENTITIES] = entities;
            scan->text_start = text_start;
            scan->place = behind;
            return GOES_ON;
        }
        if (is_one_of(next, "[<>\"") || is_two(scan, place, '\'')
            || is_two(scan, place, '{')) {
            return UNPROVEN;
        }
        if (next != '&') {
            place++;
            continue;
        }
        const Step step = take_entity(scan, place, &place);
        if (step != GOES_ON) {
            return step;
        }
    }
    if (place == start) {
        scan->place = behind;
        return GOES_ON;
    }
    if (at(scan, place) == ' ') {
        const long with_entities = scan->counts[ENTITIES];
        scan->counts[ENTITIES] = entities;
        scan->text_start = text_start;
        if (open_level(scan, CAPTION, behind) != GOES_ON) {
            return UNPROVEN;
        }
        scan->counts[ENTITIES] = with_entities;
    }
    scan->counts[EXTERNAL_LINKS]++;
    return go_on(scan, place + 1);
}

/* Tell whether an address without brackets ends here. */
static int
ends_address(Scan *scan, Py_ssize_t place)
{
    const Py_UCS4 next = at(scan, place);
    const Kind kind = top(scan)->kind;
    return next == 0 || is_one_of(next, "\n []<>\"") || is_two(scan, place, '\'')
        || (next == '=' && (kind == KEY || kind == HEADING))
        || (is_in_template(scan) && (next == '|' || is_two(scan, place, '}')))
        || (kind == DEFAULT && is_two(scan, place, '}') && at(scan, place + 2) == '}');
}

/* Take a colon of no link: behind a term it begins what the term means. */
static Step
take_colon_alone(Scan *scan)
{
    const Py_ssize_t behind = scan->place + 1;
    if (!top(scan)->has_term) {
        scan->place = behind;
        return GOES_ON;
    }
    top(scan)->has_term = 0;
    return add_name(scan, "dd") == GOES_ON ? go_on(scan, behind) : FAILED;
}

/* Take a colon: a link where the word before it is a scheme. */
Step
take_colon(Scan *scan)
{
    const Py_ssize_t colon = scan->place;
    Py_ssize_t start = colon;
    while (start > scan->text_start && (is_letter(at(scan, start - 1)) || is_digit(at(scan, start - 1)))) {
        start--;
    }
    const int slashes = is_two(scan, colon + 1, '/');
    if (top(scan)->kind == CAPTION || !is_scheme(scan, start, colon, slashes)) {
        return take_colon_alone(scan);
    }
    if (start > scan->text_start) {
        const Py_UCS4 before = at(scan, start - 1);
        if (before >= scan->text.known) {
            return UNPROVEN;
        }
        if (scan->text.classes[before] & WORD) {
            return take_colon_alone(scan);
        }
    }
    Py_ssize_t place = colon + 1 + 2 * slashes;
    const Py_UCS4 first = at(scan, place);
    if (first == 0 || first == '\n' || first == ' ' || first == '[' || first == ']') {
        return take_colon_alone(scan);
    }
    const Py_ssize_t begun = place;
    while (!ends_address(scan, place)) {
        if (is_two(scan, place, '{')) {
            return UNPROVEN;
        }
        if (at(scan, place) != '&') {
            place++;
            continue;
        }
        const Step step = take_entity(scan, place, &place);
        if (step != GOES_ON) {
            return step;
        }
    }
    if (place == begun || (at(scan, place) == '<' && at(scan, place + 1) == '!')) {
        return UNPROVEN;
    }
    scan->counts[EXTERNAL_LINKS]++;
    return go_on(scan, place + (at(scan, place) == ' '));
}
