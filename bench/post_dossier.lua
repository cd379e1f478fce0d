-- A wrk script: every request creates a dossier.
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
wrk.body = '{"nom_dossier":"Vente Dupont","user_id":"user:bench","type_transaction":"vente","summary":"un appartement"}'
