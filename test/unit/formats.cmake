ppc_unit_test(base ppc_base)
ppc_unit_test(formats ppc_formats ppc_engine)
