ppc_fuzz(lsp ppc_driver ppc_lsp)
