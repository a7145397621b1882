from callflow.server.passthru import PassthruReport as PassthruReport  # TEMPORARY until moved
