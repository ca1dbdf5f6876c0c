/* Entities, comments and schemes, for markup.c. The lists are those of mwparserfromhell's definitions;
   models/engine/node_scan.py holds them against the installed ones. */
#include "markup.h"

#include <stdlib.h>
#include <string.h>

static const char *const SCHEMES_WITH_SLASHES[] = {
    "ftp", "ftps", "git", "gopher", "http", "https", "irc", "ircs", "mms", "nntp", "redis", "sftp", "ssh",
    "svn", "telnet", "worldwind", NULL,
};
static const char *const SCHEMES[] = {
    "bitcoin", "geo", "magnet", "mailto", "news", "sip", "sips", "sms", "tel", "urn", "xmpp", NULL,
};
/* In the order of their bytes. */
static const char *const ENTITY_NAMES[] = {
    "AElig", "Aacute", "Acirc", "Agrave", "Alpha", "Aring", "Atilde", "Auml", "Beta", "Ccedil", "Chi",
    "Dagger", "Delta", "ETH", "Eacute", "Ecirc", "Egrave", "Epsilon", "Eta", "Euml", "Gamma", "Iacute",
    "Icirc", "Igrave", "Iota", "Iuml", "Kappa", "Lambda", "Mu", "Ntilde", "Nu", "OElig", "Oacute", "Ocirc",
    "Ograve", "Omega", "Omicron", "Oslash", "Otilde", "Ouml", "Phi", "Pi", "Prime", "Psi", "Rho", "Scaron",
    "Sigma", "THORN", "Tau", "Theta", "Uacute", "Ucirc", "Ugrave", "Upsilon", "Uuml", "Xi", "Yacute",
    "Yuml", "Zeta", "aacute", "acirc", "acute", "aelig", "agrave", "alefsym", "alpha", "amp", "and", "ang",
    "aring", "asymp", "atilde", "auml", "bdquo", "beta", "brvbar", "bull", "cap", "ccedil", "cedil", "cent",
    "chi", "circ", "clubs", "cong", "copy", "crarr", "cup", "curren", "dArr", "dagger", "darr", "deg",
    "delta", "diams", "divide", "eacute", "ecirc", "egrave", "empty", "emsp", "ensp", "epsilon", "equiv",
    "eta", "eth", "euml", "euro", "exist", "fnof", "forall", "frac12", "frac14", "frac34", "frasl", "gamma",
    "ge", "gt", "hArr", "harr", "hearts", "hellip", "iacute", "icirc", "iexcl", "igrave", "image", "infin",
    "int", "iota", "iquest", "isin", "iuml", "kappa", "lArr", "lambda", "lang", "laquo", "larr", "lceil",
    "ldquo", "le", "lfloor", "lowast", "loz", "lrm", "lsaquo", "lsquo", "lt", "macr", "mdash", "micro",
    "middot", "minus", "mu", "nabla", "nbsp", "ndash", "ne", "ni", "not", "notin", "nsub", "ntilde", "nu",
    "oacute", "ocirc", "oelig", "ograve", "oline", "omega", "omicron", "oplus", "or", "ordf", "ordm",
    "oslash", "otilde", "otimes", "ouml", "para", "part", "permil", "perp", "phi", "pi", "piv", "plusmn",
    "pound", "prime", "prod", "prop", "psi", "quot", "rArr", "radic", "rang", "raquo", "rarr", "rceil",
    "rdquo", "real", "reg", "rfloor", "rho", "rlm", "rsaquo", "rsquo", "sbquo", "scaron", "sdot", "sect",
    "shy", "sigma", "sigmaf", "sim", "spades", "sub", "sube", "sum", "sup", "sup1", "sup2", "sup3", "supe",
    "szlig", "tau", "there4", "theta", "thetasym", "thinsp", "thorn", "tilde", "times", "trade", "uArr",
    "uacute", "uarr", "ucirc", "ugrave", "uml", "upsih", "upsilon", "uuml", "weierp", "xi", "yacute", "yen",
    "yuml", "zeta", "zwj", "zwnj",
};

enum { LONGEST = 16 };

/* Copy a short part of the text that is letters and digits alone; return whether it is. */
static int
copy_word(const Scan *scan, Py_ssize_t start, Py_ssize_t end, char word[LONGEST])
{
    const Py_ssize_t length = end - start;
    if (length < 1 || length >= LONGEST) {
        return 0;
    }
    for (Py_ssize_t place = 0; place < length; place++) {
        const Py_UCS4 character = scan->text.characters[start + place];
        if (!is_letter(character) && !is_digit(character)) {
            return 0;
        }
        word[place] = (char)character;
    }
    word[length] = 0;
    return 1;
}

/* Tell whether a part of the text is in a list, whatever its case. */
int
is_listed(const Scan *scan, Py_ssize_t start, Py_ssize_t end, const char *const *list)
{
    char word[LONGEST];
    if (!copy_word(scan, start, end, word)) {
        return 0;
    }
    for (char *each = word; *each; each++) {
        *each |= 0x20;
    }
    for (; *list != NULL; list++) {
        if (strcmp(word, *list) == 0) {
            return 1;
        }
    }
    return 0;
}

static int
compare_names(const void *one, const void *other)
{
    return strcmp(one, *(const char *const *)other);
}

static int
is_entity(const Scan *scan, Py_ssize_t start, Py_ssize_t end)
{
    char word[LONGEST];
    return copy_word(scan, start, end, word)
        && bsearch(word, ENTITY_NAMES, sizeof ENTITY_NAMES / sizeof *ENTITY_NAMES, sizeof *ENTITY_NAMES,
                   compare_names) != NULL;
}

int
is_scheme(const Scan *scan, Py_ssize_t start, Py_ssize_t end, int has_slashes)
{
    return is_listed(scan, start, end, SCHEMES)
        || (has_slashes && is_listed(scan, start, end, SCHEMES_WITH_SLASHES));
}

static int
has_slashes(const Scan *scan, Py_ssize_t place)
{
    return at(scan, place) == '/' && at(scan, place + 1) == '/';
}

Py_ssize_t
behind_scheme(const Scan *scan, Py_ssize_t start)
{
    if (has_slashes(scan, start)) {
        return start + 2;
    }
    Py_ssize_t end = start;
    for (Py_UCS4 next; next = at(scan, end), is_letter(next) || is_digit(next) || next == '+' || next == '.'
         || next == '-';) {
        end++;
    }
    if (at(scan, end) != ':') {
        return -1;
    }
    const int slashes = has_slashes(scan, end + 1);
    return is_scheme(scan, start, end, slashes) ? end + 1 + 2 * slashes : -1;
}

/* Take what stands between "&#" and ";". */
static Step
take_number(Scan *scan, Py_ssize_t place, Py_ssize_t *end)
{
    const int is_hexadecimal = (at(scan, place) | 0x20) == 'x';
    const Py_ssize_t start = place + is_hexadecimal;
    long value = 0;
    for (place = start; place < start + 5; place++) {
        const Py_UCS4 digit = at(scan, place), folded = digit | 0x20;
        if (is_digit(digit)) {
            value = value * (is_hexadecimal ? 16 : 10) + (long)(digit - '0');
        } else if (is_hexadecimal && folded >= 'a' && folded <= 'f') {
            value = value * 16 + (long)(folded - 'a') + 10;
        } else {
            break;
        }
    }
    if (place == start && !is_hexadecimal && !is_letter(at(scan, place)) && at(scan, place) < 0x80) {
        *end = start - 1;
        return GOES_ON;
    }
    if (at(scan, place) != ';' || value < 1 || value >= 0xD800) {
        return UNPROVEN;
    }
    scan->counts[ENTITIES]++;
    *end = scan->text_start = place + 1;
    return GOES_ON;
}

Step
take_entity(Scan *scan, Py_ssize_t place, Py_ssize_t *end)
{
    const Py_ssize_t start = place + 1;
    if (at(scan, start) == '#') {
        return take_number(scan, start + 1, end);
    }
    for (place = start; is_letter(at(scan, place)) || is_digit(at(scan, place)); place++) {
    }
    *end = start;
    if (place == start || at(scan, place) != ';') {
        return GOES_ON;
    }
    if (place - start == 8) {
        /* The tokenizer may read behind its own copy of these. */
        return UNPROVEN;
    }
    if (!is_entity(scan, start, place)) {
        return GOES_ON;
    }
    scan->counts[ENTITIES]++;
    *end = scan->text_start = place + 1;
    return GOES_ON;
}

Py_ssize_t
behind_comment(const Scan *scan, Py_ssize_t place)
{
    for (place += 4; place + 2 < scan->text.length; place++) {
        if (is_two(scan, place, '-') && at(scan, place + 2) == '>') {
            return place + 3;
        }
    }
    return -1;
}
