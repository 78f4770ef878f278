ppc_unit_test(continuation ppc_players)
ppc_unit_test(fleet ppc_fleet)
