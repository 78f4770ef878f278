ppc_unit_test(manifest ppc_engine)
ppc_unit_test(engine ppc_engine)
ppc_unit_test(players ppc_players)
ppc_unit_test(endpoint ppc_players)
