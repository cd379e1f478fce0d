#include "apps/casefile/docs_page.hpp"

namespace casefile {

std::string_view docs_page() noexcept {
  return R"html(<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>casefile API</title>
<style>
  :root { color-scheme: light dark; --line: #8884; --soft: #8882; }
  body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
  h1 { font-size: 1.6rem; margin-bottom: 0; }
  table { border-collapse: collapse; width: 100%; margin: 1rem 0; }
  th, td { text-align: left; vertical-align: top; padding: .45rem .6rem; border-bottom: 1px solid var(--line); }
  code, pre { font: .9em ui-monospace, monospace; }
  td:first-child code { white-space: nowrap; }
  pre { background: var(--soft); padding: .8rem 1rem; border-radius: .4rem; overflow-x: auto; }
</style>
</head>
<body>
<h1>casefile</h1>
<p>Keeps case files (dossiers). Requests and answers are JSON in UTF-8; times are UTC.</p>
<table>
<tr><th>Request</th><th>Takes</th><th>Answers</th></tr>
<tr><td><code>POST /api/dossiers</code></td><td><code>nom_dossier</code> 1–200 characters, <code>user_id</code>
  (<code>user:KEY</code> or <code>KEY</code>), <code>type_transaction</code> = vente, <code>summary</code> ≤ 200</td>
  <td>201 the dossier · 422</td></tr>
<tr><td><code>GET /api/dossiers</code></td><td><code>user_id</code>, <code>limit</code> = 50 (1–500),
  <code>offset</code> = 0</td><td>200 an array, newest first</td></tr>
<tr><td><code>GET /api/dossiers/{id}</code></td><td>id as <code>dossier:KEY</code> or <code>KEY</code></td>
  <td>200 · 404</td></tr>
<tr><td><code>PUT /api/dossiers/{id}</code></td><td>any of <code>nom_dossier</code>, <code>user_id</code>,
  <code>type_transaction</code>, <code>summary</code>, <code>statut</code>, <code>score_confiance</code> (0–1),
  <code>pinned</code>; null leaves a member as it is</td><td>200 · 404 · 422</td></tr>
<tr><td><code>PATCH /api/dossiers/{id}/pin</code></td><td></td><td>200 pinned if it was not, and the reverse · 404</td></tr>
<tr><td><code>DELETE /api/dossiers/{id}</code></td><td></td><td>204 · 404</td></tr>
<tr><td><code>GET /health</code></td><td></td><td>200 when a real query works · 503</td></tr>
<tr><td><code>GET /health/live</code> · <code>/health/ready</code></td><td></td><td>200 without touching the database ·
  503 while starting, draining or left alone by the circuit breaker</td></tr>
<tr><td><code>GET /health/db</code></td><td></td><td>200 with latency, pools and circuit · 503</td></tr>
<tr><td><code>GET /api/admin/circuit-breaker</code> · <code>POST …/reset</code></td>
  <td><code>Authorization: Bearer</code> $CASEFILE_ADMIN_TOKEN</td><td>200 · 401 · 404 without a token configured</td></tr>
<tr><td><code>GET /api/admin/pool</code> · <code>POST …/invalidate</code></td>
  <td>likewise</td><td>200 · 401 · 404 without a token configured</td></tr>
</table>
<p><code>type_transaction</code>: vente, achat, hypotheque, testament, succession, donation, autre.
<code>statut</code>: nouveau, en_analyse, termine, en_erreur, archive.</p>
<p>An error is <code>{"error":{"message":…,"type":…,"details":…}}</code>; a 503 says in <code>Retry-After</code> how many
seconds to wait.</p>
<pre>curl -X POST http://localhost:8000/api/dossiers -H 'Content-Type: application/json' \
     -d '{"nom_dossier":"Test","user_id":"user:test","type_transaction":"vente"}'
curl http://localhost:8000/api/dossiers</pre>
</body>
</html>
)html";
}

}  // namespace casefile
