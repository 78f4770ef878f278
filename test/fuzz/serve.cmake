ppc_fuzz(serve ppc_serve_service)
ppc_fuzz(completions ppc_serve_service)
