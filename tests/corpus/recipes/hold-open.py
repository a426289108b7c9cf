"""hold-open.py DATABASE READY DONE: holds an SQLite database in use until the file DONE is there, so that nobody empties its write-ahead log."""

import os
import sqlite3
import sys
import time

database, ready, done = sys.argv[1:]
reader = sqlite3.connect(database)
reader.execute("PRAGMA journal_mode=WAL")
reader.execute("BEGIN")
reader.execute("SELECT count(*) FROM sqlite_master").fetchone()
open(ready, "w", encoding="utf-8").close()
for _ in range(1200):
    if os.path.exists(done):
        break
    time.sleep(0.1)
