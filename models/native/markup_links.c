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

/* Tell whether a template without parameters stands behind four braces, which cannot be an argument then. */
static int
begins_template_name(const Scan *scan, Py_ssize_t place)
{
    const Py_ssize_t start = place;
    while (place < scan->text.length && !is_one_of(at(scan, place), "{}[]<>|&'\n")) {
        place++;
    }
    return place > start && is_two(scan, place, '}') && at(scan, place + 2) != '}';
}

/* Take braces: two open a template, three an argument. */
Step
take_brace(Scan *scan)
{
    Py_ssize_t end = scan->place;
    while (at(scan, end) == '{') {
        end++;
    }
    Py_ssize_t length = end - scan->place;
    if (length == 4 && begins_template_name(scan, end)) {
        length = 2;
        end = scan->place + 2;
    }
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

/* Take a bracket alone, or one with the scheme of an address behind it. */
Step
open_external_link(Scan *scan)
{
    const Py_ssize_t behind = scan->place + 1;
    const Py_ssize_t start = top(scan)->kind == CAPTION ? -1 : behind_scheme(scan, behind);
    if (start < 0) {
        scan->place = behind;
        return GOES_ON;
    }
    if (open_level(scan, ADDRESS, behind) != GOES_ON) {
        return UNPROVEN;
    }
    top(scan)->start = start;
    scan->counts[EXTERNAL_LINKS]++;
    return go_on(scan, start);
}

Step
take_in_address(Scan *scan)
{
    const Py_ssize_t place = scan->place;
    const Py_UCS4 next = at(scan, place);
    if (next == '\n' || (place == top(scan)->start && (next == ' ' || next == ']'))) {
        return fail(scan);
    }
    if (next == ' ') {
        top(scan)->kind = CAPTION;
        return go_on(scan, place + 1);
    }
    if (next == ']') {
        scan->depth--;
        return go_on(scan, place + 1);
    }
    if (is_one_of(next, "[<>\"") || is_two(scan, place, '\'')) {
        return UNPROVEN;
    }
    if (next == '&') {
        return take_ampersand(scan);
    }
    if (is_two(scan, place, '{')) {
        return take_brace(scan);
    }
    scan->place++;
    return GOES_ON;
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
