/* All of libppc.so comes from archives; a library has to have a source of its own. */
typedef int ppc_no_empty_file;
