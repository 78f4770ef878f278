ppc_unit_test(ide ppc_ide)
