ppc_fuzz(serve ppc_serve_service)
