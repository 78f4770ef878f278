ppc_fuzz(language ppc_decode)
