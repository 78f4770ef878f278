ppc_fuzz(language ppc_decode)
ppc_fuzz(pattern ppc_engine)
