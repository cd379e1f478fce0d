"""The same GET /api/dossiers/{id} as casefile's, in the usual Python stack: FastAPI, uvicorn, sqlite3.

Run from Debian's packages: /usr/bin/python3 bench/peers/fastapi_sqlite.py DATABASE PORT threadpool|blocking

threadpool  the path operation is a plain `def`, as FastAPI's documentation tells for a library that blocks: like
            casefile, the event loop goes on while SQLite works
blocking    the path operation is `async def` and SQLite works on the event loop: cheaper, but one slow query stops
            every client
One connection kept open, one statement (sqlite3 caches it), a response model: what a careful author would write.
"""
import sqlite3
import sys
from datetime import datetime, timezone
from typing import Optional

import uvicorn
from fastapi import FastAPI
from fastapi.responses import JSONResponse
from pydantic import BaseModel


class Dossier(BaseModel):
    id: str
    nom_dossier: str
    type_transaction: str
    summary: Optional[str]
    statut: str
    user_id: str
    score_confiance: Optional[float]
    pinned: bool
    created_at: datetime
    updated_at: datetime


database_path, port, mode = sys.argv[1:]
app = FastAPI()
database = sqlite3.connect(database_path, check_same_thread=False)
COLUMNS = ("id, nom_dossier, type_transaction, summary, statut, user_id, score_confiance, pinned, created_at, "
           "updated_at")


def moment(nanoseconds: int) -> datetime:
    return datetime.fromtimestamp(nanoseconds / 1e9, tz=timezone.utc)


def find(dossier_id: str):
    key = dossier_id.removeprefix("dossier:")
    row = database.execute(f"SELECT {COLUMNS} FROM dossier WHERE id = ?", (key,)).fetchone()
    if row is None:
        return JSONResponse({"error": {"message": f"Dossier with ID '{dossier_id}' not found",
                                       "type": "ResourceNotFoundError"}}, status_code=404)
    return Dossier(id=f"dossier:{row[0]}", nom_dossier=row[1], type_transaction=row[2], summary=row[3], statut=row[4],
                   user_id=row[5], score_confiance=row[6], pinned=bool(row[7]), created_at=moment(row[8]),
                   updated_at=moment(row[9]))


if mode == "threadpool":
    @app.get("/api/dossiers/{dossier_id}", response_model=Dossier)
    def get_dossier(dossier_id: str):
        return find(dossier_id)
else:
    @app.get("/api/dossiers/{dossier_id}", response_model=Dossier)
    async def get_dossier(dossier_id: str):
        return find(dossier_id)


@app.get("/health/live")
async def live():
    return {"status": "alive"}


if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=int(port), loop="uvloop", http="httptools", log_level="warning",
                access_log=False)
