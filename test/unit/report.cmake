ppc_unit_test(report ppc_report)
