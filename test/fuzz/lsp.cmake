ppc_fuzz(lsp ppc_lsp)
