#!/usr/bin/env python3
"""http-nohead.py DIR [PORT] -- PORT 0: any, printed. Static files with the habits of real image servers, for testing "upload by URL".  Standard library only, 127.0.0.1.

  GET  /file            plain: Content-Length, ETag, Last-Modified, Accept-Ranges, Range -> 206 / 416, If-Range
  HEAD /file            405 Method Not Allowed, Allow: GET                  (HEAD=405 default; HEAD=200, 403, 501 by environment)
Prefixes (combine with any file):   /norange/f  ignores Range (200)      /nolength/f  chunked, no Content-Length
  /slow/f  256 KiB/s    /cut/N/f  closes after N bytes, every time        /cutonce/N/f  only the first time
  /redir/f 302 to /f    /loop/f   302 to itself      /status/503/f  that status with Retry-After: 1     /auth/f  Basic u:p
  /weak/f  a weak ETag   /moved/f  302 to ftp://   /changed/f  a new ETag for each request            /gzip/f  Content-Encoding: gzip
PUT  /put/f  stores into DIR (201), honours Content-Range for resuming (Range-PUT as in Apache/nginx-dav is not standard: 400 unless PUT_RANGE=1)"""
import gzip, hashlib, os, re, sys, time, email.utils
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
ROOT = os.path.abspath(sys.argv[1]); PORT = int(sys.argv[2]) if len(sys.argv) > 2 else 8099; HEAD = int(os.environ.get("HEAD", 405)); SEEN = set()
class H(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def log_message(s, f, *a): sys.stderr.write("%s %s Range=%s -> %s\n" % (s.command, s.path, s.headers.get("Range"), a[1] if len(a) > 1 else "")); sys.stderr.flush()
    def plain(s, code, text=b"", **h):
        s.send_response(code)
        for k, v in h.items(): s.send_header(k.replace("_", "-"), v)
        s.send_header("Content-Length", str(len(text))); s.end_headers()
        if s.command != "HEAD": s.wfile.write(text)
    def do_HEAD(s):
        if HEAD != 200: return s.plain(HEAD, Allow="GET")
        s.do_GET()
    def do_GET(s):
        p = s.path.split("?")[0]; mods = {}
        while True:
            m = re.match(r"/(norange|nolength|slow|redir|loop|moved|weak|auth|changed|gzip)(/.*)|/(cut|cutonce|status)/(\d+)(/.*)", p)
            if not m: break
            mods[m[1] or m[3]] = int(m[4] or 1); p = m[2] or m[5]
        if "redir" in mods: return s.plain(302, Location=s.path.replace("/redir", "", 1))
        if "moved" in mods: return s.plain(302, Location="ftp://127.0.0.1" + p)
        if "loop" in mods: return s.plain(302, Location=s.path)
        if "status" in mods: return s.plain(mods["status"], b"as asked\n", Retry_After="1")
        if "auth" in mods and s.headers.get("Authorization") != "Basic dTpw": return s.plain(401, WWW_Authenticate='Basic realm="t"')
        f = os.path.normpath(ROOT + p)
        if not f.startswith(ROOT) or not os.path.isfile(f): return s.plain(404, b"no\n")
        st = os.stat(f); size = st.st_size; etag = '"%x-%x"' % (size, st.st_mtime_ns) if "changed" not in mods else '"%d"' % time.time_ns(); lo, hi, code = 0, size - 1, 200
        if "weak" in mods: etag = "W/" + etag
        r = re.match(r"bytes=(\d*)-(\d*)$", s.headers.get("Range", ""))
        if r and "norange" not in mods and "gzip" not in mods and s.headers.get("If-Range", etag) == etag:
            lo, hi = (int(r[1]), min(int(r[2] or size - 1), size - 1)) if r[1] else (max(0, size - int(r[2])), size - 1)
            if lo > hi: return s.plain(416, Content_Range="bytes */%d" % size)
            code = 206
        s.send_response(code); s.send_header("Content-Type", "application/octet-stream"); s.send_header("ETag", etag); s.send_header("Last-Modified", email.utils.formatdate(st.st_mtime, usegmt=True))
        if "norange" not in mods: s.send_header("Accept-Ranges", "bytes")
        if code == 206: s.send_header("Content-Range", "bytes %d-%d/%d" % (lo, hi, size))
        data = None
        if "gzip" in mods: data = gzip.compress(open(f, "rb").read()); s.send_header("Content-Encoding", "gzip"); lo, hi = 0, len(data) - 1
        chunked = "nolength" in mods
        s.send_header(*(("Transfer-Encoding", "chunked") if chunked else ("Content-Length", str(hi - lo + 1)))); s.end_headers()
        if s.command == "HEAD": return
        left = hi - lo + 1; limit = mods.get("cut") or (mods.get("cutonce") if s.path not in SEEN else None); SEEN.add(s.path); sent = 0
        with open(f, "rb") as fd:
            fd.seek(lo)
            while left:
                b = (data[lo:lo + 262144] if data is not None else fd.read(min(262144, left))); lo += len(b); left -= len(b)
                if limit is not None and sent + len(b) > limit: s.wfile.write(b[: limit - sent]); s.wfile.flush(); s.close_connection = True; s.connection.shutdown(2); return
                sent += len(b); s.wfile.write(b"%x\r\n%s\r\n" % (len(b), b) if chunked else b)
                if "slow" in mods: time.sleep(1)
        if chunked: s.wfile.write(b"0\r\n\r\n")
    def do_PUT(s):
        m = re.match(r"/put/([\w.\-]+)$", s.path)
        if not m: return s.plain(403)
        cr = re.match(r"bytes (\d+)-(\d+)/(\d+)", s.headers.get("Content-Range", ""))
        if cr and not os.environ.get("PUT_RANGE"): s.close_connection = True; return s.plain(400)
        f = os.path.join(ROOT, m[1]); left = int(s.headers.get("Content-Length", 0))
        with open(f, "r+b" if cr and os.path.exists(f) else "wb") as fd:
            if cr: fd.seek(int(cr[1]))
            while left: b = s.rfile.read(min(65536, left)); fd.write(b); left -= len(b)
        s.plain(201)
SERVER = ThreadingHTTPServer(("127.0.0.1", PORT), H); print("http on http://127.0.0.1:%d/ HEAD -> %d" % (SERVER.server_port, HEAD), flush=True); SERVER.serve_forever()
