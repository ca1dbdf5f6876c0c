/* The module that Python imports: names of functions, and nothing else. */
#include "functions.h"

/* Raised by one whenever a function comes, goes or changes its meaning; __init__.py has the same number. */
#define INTERFACE 10

#define FUNCTION(name) {#name, (PyCFunction)(void (*)(void))(name), METH_FASTCALL, NULL}

static PyMethodDef functions[] = {
    FUNCTION(add_leaves),
    FUNCTION(change_counts),
    FUNCTION(change_figures),
    FUNCTION(dump_revision),
    FUNCTION(expand_bz2_runs),
    FUNCTION(in_order),
    FUNCTION(longest_run),
    FUNCTION(matching_blocks),
    FUNCTION(move_sums),
    FUNCTION(scan_nodes),
    FUNCTION(split_blocks),
    FUNCTION(split_tokens),
    FUNCTION(tally),
    FUNCTION(token_codes),
    FUNCTION(tokens_are_sound),
    FUNCTION(unpack_bz2_block),
    FUNCTION(word_runs),
    {NULL, NULL, 0, NULL},
};

static int
fill(PyObject *module)
{
    make_bz2_sums();
    return PyModule_AddIntConstant(module, "INTERFACE", INTERFACE);
}

static PyModuleDef_Slot slots[] = {
    {Py_mod_exec, fill},
    {0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "_compiled",
    .m_methods = functions,
    .m_slots = slots,
};

PyMODINIT_FUNC
PyInit__compiled(void)
{
    return PyModuleDef_Init(&definition);
}
