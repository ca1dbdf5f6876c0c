/* What markup.c and markup_spans.c share: a text that is read once from its beginning to its end. */
#ifndef REVSTREAM_MARKUP_H
#define REVSTREAM_MARKUP_H

#include "functions.h"

#include <string.h>

/* Classes of characters, see models/engine/characters.py. */
enum { WORD = 1, SPACE = 2 };

/* What is open at a place: of a template its name, then the key or value of a parameter; of an internal link its
   title, then what is shown; of a link to another site in brackets its address, then its caption; the default of an argument; the body of
   a tag; a table, a row and a cell of one. */
typedef enum {
    OUTSIDE, NAME, KEY, VALUE, TITLE, SHOWN, ADDRESS, CAPTION, DEFAULT, HEADING, BODY, ITALIC, BOLD, TABLE, ROW,
    CELL
} Kind;

/* Each takes up to three of the tokenizer's hundred levels. */
enum { DEEPEST = 12 };

/* In the order of KINDS in models/engine/node_answer.py. */
enum { HEADINGS, WIKILINKS, EXTERNAL_LINKS, TEMPLATES, TAGS, ARGUMENTS, COMMENTS, ENTITIES, KINDS };

typedef struct {
    Kind kind;
    /* Where to go on where this turns out to be text, and how all was before it. */
    Py_ssize_t behind, text_start, levels, names;
    long counts[KINDS];
    int was_in_heading;
    /* Of a tag, where its name begins and ends; of a heading, how many signs opened it; of a cell and an
       address, where it begins. */
    Py_ssize_t start, end;
    /* Of a name or key, whether it holds a template; of a name, whether it has text, and a line behind. */
    int has_template, has_text, has_ended;
    /* Whether a term of a list stands before; of what is italic, whether it is to be read again, or is. */
    int has_term, is_refused, is_again;
    /* Of a heading, whether this is only what stands behind it on its line. */
    int is_behind;
    /* Of a table or within it, whether cells of either kind stand on this line; of a cell, whether a bar ends
       its attributes. */
    int has_cells, has_headers, may_have_style;
} Open;

typedef struct {
    Text text;
    Py_ssize_t place;
    /* Since when there was nothing but text. */
    Py_ssize_t text_start;
    Open open[DEEPEST + 1];
    int depth;
    int is_in_heading;
    /* Whether something was open at the end of the text; whether a quote was. */
    int met_end, met_open_quote;
    /* How many characters may still be read again. */
    Py_ssize_t patience;
    long counts[KINDS];
    PyObject *levels;
    PyObject *names;
} Scan;

/* What a step returns: it went on, it cannot tell, or the error is set. */
typedef enum { GOES_ON = 0, UNPROVEN = 1, FAILED = -1 } Step;

/* Return the character at a place; 0 at the end, and nowhere else in a text that is scanned. */
static inline Py_UCS4
at(const Scan *scan, Py_ssize_t place)
{
    return place < scan->text.length ? scan->text.characters[place] : 0;
}

static inline int
is_letter(Py_UCS4 character)
{
    return (character | 0x20) >= 'a' && (character | 0x20) <= 'z';
}

static inline int
is_digit(Py_UCS4 character)
{
    return character >= '0' && character <= '9';
}

static inline int
is_one_of(Py_UCS4 character, const char *characters)
{
    return character > 0 && character < 0x80 && strchr(characters, (int)character) != NULL;
}

static inline int
is_space(const Scan *scan, Py_UCS4 character)
{
    return character < scan->text.known && scan->text.classes[character] & SPACE;
}

static inline int
is_two(const Scan *scan, Py_ssize_t place, Py_UCS4 character)
{
    return at(scan, place) == character && at(scan, place + 1) == character;
}

/* Return how many blanks stand between the beginning of the line and a place; -1 where other text does. */
static inline Py_ssize_t
blanks_before(const Scan *scan, Py_ssize_t place)
{
    Py_ssize_t start = place;
    while (start > 0 && at(scan, start - 1) != '\n' && is_space(scan, at(scan, start - 1))) {
        start--;
    }
    return start == 0 || at(scan, start - 1) == '\n' ? place - start : -1;
}

static inline Open *
top(Scan *scan)
{
    return &scan->open[scan->depth];
}

static inline int
is_in_template(Scan *scan)
{
    return top(scan)->kind == KEY || top(scan)->kind == VALUE;
}

/* Go on behind what was recognised. */
static inline Step
go_on(Scan *scan, Py_ssize_t place)
{
    scan->place = scan->text_start = place;
    return GOES_ON;
}

/* Open something that goes on at a place, also where it turns out to be text. */
Step open_level(Scan *scan, Kind kind, Py_ssize_t behind);

/* Close the heading that was opened last, and go on. */
Step end_heading(Scan *scan, Py_ssize_t level, Py_ssize_t behind);

/* Take for text what was opened last, and go on behind its opening. */
Step fail(Scan *scan);

/* Add the name of a tag. */
Step add_name(Scan *scan, const char *name);
Step add_name_of(Scan *scan, Py_ssize_t start, Py_ssize_t end);

/* Tell whether a part of the text is in a list that ends with NULL, whatever its case. */
int is_listed(const Scan *scan, Py_ssize_t start, Py_ssize_t end, const char *const *list);

/* Take an entity, or an ampersand alone, at a place, and say where it ends. */
Step take_entity(Scan *scan, Py_ssize_t place, Py_ssize_t *end);
Step take_ampersand(Scan *scan);

/* Take a tag, or what only begins like one. */
Step take_tag(Scan *scan);

/* Tell whether a tag needs no end. */
int may_stay_open(const Scan *scan, const Open *tag);

/* Tell whether a comment begins here. */
static inline int
begins_comment(const Scan *scan, Py_ssize_t place)
{
    return at(scan, place) == '<' && at(scan, place + 1) == '!' && is_two(scan, place + 2, '-');
}

/* Return where a comment ends that begins here; -1 for one that does not end. */
Py_ssize_t behind_comment(const Scan *scan, Py_ssize_t place);

/* Return where the address begins behind a scheme that begins here; -1 where none does. */
Py_ssize_t behind_scheme(const Scan *scan, Py_ssize_t start);

/* Tell whether a scheme of the tokenizer is spelt here. */
int is_scheme(const Scan *scan, Py_ssize_t start, Py_ssize_t end, int has_slashes);

/* Return where attributes end, up to the end of a line or a bar; -1 for unusual forms. */
Py_ssize_t behind_style(Scan *scan, Py_ssize_t place, Py_UCS4 end);

/* Open a table at the beginning of a line; take a bar or an exclamation mark within one. */
Step open_wikitable(Scan *scan);
Step take_in_table(Scan *scan);

static inline int
is_of_table(Kind kind)
{
    return kind == TABLE || kind == ROW || kind == CELL;
}

/* Take a mark where it stands: braces; a brace, bar or text in the name of a template; the like in the title of a
   link; brackets; a colon; apostrophes; what may open a comment or tag. */
Step take_brace(Scan *scan);
Step take_in_name(Scan *scan);
Step take_in_title(Scan *scan);
Step open_wikilink(Scan *scan);
Step open_external_link(Scan *scan);
Step take_in_address(Scan *scan);
Step take_colon(Scan *scan);
Step take_apostrophes(Scan *scan);
Step take_lesser(Scan *scan);

#endif
