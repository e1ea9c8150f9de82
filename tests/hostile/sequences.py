"""Byte sequences that are almost HTTP: what goes wrong between a proxy and a server.

In each, `TOKEN` is somebody's access token, `OUTER` the request id of what is asked, and `INNER`
that of what is hidden within and must reach nobody.
"""

HOST = b"Host: clinic.example\r\n"
WHO = b"Authorization: Bearer TOKEN\r\n"
END = b"\r\n"
OUTER = b"X-Request-ID: OUTER\r\n"
JSON = b"Content-Type: application/json\r\n"
ME = b" /api/v1/me HTTP/1.1\r\n"
INNER = b"GET" + ME + HOST + WHO + b"X-Request-ID: INNER\r\n\r\n"
GET = b"GET" + ME + HOST + WHO + OUTER
POST = b"POST /api/v1/patients HTTP/1.1\r\n" + HOST + WHO + OUTER + JSON
CHUNKED = b"Transfer-Encoding: chunked\r\n"


def _length(value: bytes) -> bytes:
    return b"Content-Length: " + value + b"\r\n"


N = str(len(INNER)).encode()
HEX = f"{len(INNER):x}".encode()
CHUNK = HEX + b"\r\n" + INNER + b"\r\n"

LENGTHS: dict[str, bytes] = {
    "length and chunks": POST + _length(b"4") + CHUNKED + END + b"0\r\n\r\n" + INNER,
    "chunks and length": POST + CHUNKED + _length(b"4") + END + b"0\r\n\r\n" + INNER,
    "length of all, and chunks": POST + _length(N) + CHUNKED + END + b"0\r\n\r\n" + INNER,
    "two lengths": POST + _length(b"0") + _length(N) + END + INNER,
    "two lengths, the other way": POST + _length(N) + _length(b"0") + END + INNER,
    "two lengths in one": POST + _length(b"0, " + N) + END + INNER,
    "a length twice": POST + _length(N) + _length(N) + END + INNER,
    "plus": POST + _length(b"+" + N) + END + INNER,
    "minus": POST + _length(b"-1") + END + INNER,
    "minus nought": POST + _length(b"-0") + END + INNER,
    "hexadecimal": POST + _length(b"0x" + HEX) + END + INNER,
    "a point": POST + _length(N + b".0") + END + INNER,
    "an exponent": POST + _length(b"1e1") + END + INNER,
    "a line between digits": POST + _length(b"1_0") + END + INNER,
    "a blank between digits": POST + _length(b"1 0") + END + INNER,
    "digits of another script": POST + _length("\u0661".encode()) + END + INNER,
    "no length": POST + _length(b"") + END + INNER,
    "a word": POST + _length(b"many") + END + INNER,
    "more than 64 bits": POST + _length(b"18446744073709551617") + END + INNER,
    "a length of many digits": POST + _length(b"1" * 5000) + END + INNER,
    "a blank before the colon": POST + b"Content-Length : " + N + b"\r\n\r\n" + INNER,
    "a tab before the colon": POST + b"Content-Length\t: " + N + b"\r\n\r\n" + INNER,
    "a length with NUL": POST + _length(b"0\x00") + END + INNER,
    "an underscore": POST + b"Content_Length: " + N + b"\r\n\r\n" + b"X",
    "a body on a GET": GET + _length(N) + END + INNER,
    "a length at a HEAD": b"HEAD" + ME + HOST + WHO + OUTER + _length(N) + END + INNER,
    "a folded length": POST + b"Content-Length:\r\n 0\r\n\r\n" + INNER,
}
CODINGS: dict[str, bytes] = {
    "chunked, then another": POST + b"Transfer-Encoding: chunked, identity\r\n\r\n" + CHUNK,
    "another, then chunked": POST
    + b"Transfer-Encoding: x, chunked\r\n"
    + END
    + CHUNK
    + b"0\r\n\r\n",
    "identity": POST + b"Transfer-Encoding: identity\r\n" + _length(N) + END + INNER,
    "xchunked": POST + b"Transfer-Encoding: xchunked\r\n" + _length(N) + END + INNER,
    "chunked in capitals": POST + b"Transfer-Encoding: CHUNKED\r\n" + END + CHUNK + b"0\r\n\r\n",
    "chunked twice": POST + CHUNKED + CHUNKED + END + CHUNK + b"0\r\n\r\n",
    "chunked and identity": POST
    + CHUNKED
    + b"Transfer-Encoding: identity\r\n\r\n"
    + b"0\r\n\r\n"
    + INNER,
    "a blank before its colon": POST
    + b"Transfer-Encoding : chunked\r\n"
    + _length(N)
    + END
    + INNER,
    "a tab before it": POST + b"Transfer-Encoding:\tchunked\r\n" + END + CHUNK + b"0\r\n\r\n",
    "a vertical tab in it": POST + b"Transfer-Encoding: \x0bchunked\r\n" + _length(N) + END + INNER,
    "a quoted one": POST + b'Transfer-Encoding: "chunked"\r\n' + _length(N) + END + INNER,
    "a folded one": POST + b"Transfer-Encoding:\r\n chunked\r\n" + _length(N) + END + INNER,
    "an underscored one": POST + b"Transfer_Encoding: chunked\r\n" + _length(N) + END + INNER,
    "under HTTP/1.0": POST.replace(b"HTTP/1.1", b"HTTP/1.0") + CHUNKED + END + b"0\r\n\r\n" + INNER,
    "gzip": POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n" + CHUNK + b"0\r\n\r\n",
    "a parameter": POST + b"Transfer-Encoding: chunked;q=1\r\n\r\n" + CHUNK + b"0\r\n\r\n",
}
CHUNKS: dict[str, bytes] = {
    name: POST + CHUNKED + END + rest
    for name, rest in {
        "a plus before a size": b"+" + CHUNK + b"0\r\n\r\n",
        "a minus before a size": b"-1\r\n" + INNER,
        "0x before a size": b"0x" + CHUNK + b"0\r\n\r\n",
        "no size": b"\r\n" + INNER + b"\r\n0\r\n\r\n",
        "a word for a size": b"many\r\n" + INNER,
        "a size past 64 bits": b"10000000000000000\r\n" + INNER,
        "a size of many digits": b"0" * 5000 + b"1\r\nx\r\n0\r\n\r\n",
        "a size that is too small": b"1\r\n" + INNER + b"\r\n0\r\n\r\n",
        "a size that ends with a bare LF": HEX + b"\n" + INNER + b"\r\n0\r\n\r\n",
        "data that ends with a bare LF": HEX + b"\r\n" + INNER + b"\n0\r\n\r\n",
        "an extension with a LF": HEX + b";a\nb\r\n" + INNER + b"\r\n0\r\n\r\n",
        "a long extension": HEX + b";" + b"a" * 100_000 + b"\r\n" + INNER + b"\r\n0\r\n\r\n",
        "a blank after a size": HEX + b" \r\n" + INNER + b"\r\n0\r\n\r\n",
        "a last size twice": b"0\r\n0\r\n\r\n" + INNER,
        "a length in the trailer": CHUNK + b"0\r\nContent-Length: 0\r\n\r\n",
        "a token in the trailer": CHUNK + b"0\r\nAuthorization: Bearer x\r\n\r\n",
        "a large trailer": CHUNK + b"0\r\n" + b"a: b\r\n" * 20_000 + b"\r\n",
        "many small chunks": b"1\r\nx\r\n" * 20_000 + b"0\r\n\r\n",
    }.items()
}
LINES: dict[str, bytes] = {
    "bare LF everywhere": (GET + END).replace(b"\r\n", b"\n"),
    "bare CR everywhere": (GET + END).replace(b"\r\n", b"\r"),
    "a bare CR in a value": GET + b"X-A: a\rX-Request-ID: INNER\r\n\r\n",
    "NUL in a value": GET + b"X-A: a\x00b\r\n\r\n",
    "NUL in a name": GET + b"X\x00A: b\r\n\r\n",
    "NUL in the path": b"GET /api/v1/me\x00 HTTP/1.1\r\n" + HOST + WHO + OUTER + END,
    "a control in a value": GET + b"X-A: a\x01\x7fb\r\n\r\n",
    "a name that is none": GET + b": x\r\n\r\n",
    "no colon": GET + b"nonsense\r\n\r\n",
    "a blank in a name": GET + b"X A: b\r\n\r\n",
    "a folded line": GET + b"X-A: a\r\n b\r\n\r\n",
    "a line before the first": b"GET" + ME + b" X-A: b\r\n" + HOST + WHO + OUTER + END,
    "high bytes": GET + b"X-A: \xff\xfe\r\n\r\n",
    "high bytes in the request id": b"GET" + ME + HOST + WHO + b"X-Request-ID: \xff\r\n\r\n",
    "two request ids": GET + b"X-Request-ID: INNER\r\n\r\n",
    "two tokens": GET + b"Authorization: Bearer x\r\n\r\n",
    "an underscored token": b"GET" + ME + HOST + OUTER + b"X_Request_ID: INNER\r\n\r\n",
    "an underscored forwarded-for": GET + b"X_Forwarded_For: 10.9.8.7\r\n\r\n",
    "a forwarded-for": GET + b"X-Forwarded-For: 10.9.8.7\r\nForwarded: for=10.9.8.7\r\n\r\n",
    "another method by a header": GET + b"X-HTTP-Method-Override: DELETE\r\n\r\n",
    "another path by a header": GET + b"X-Original-URL: /x\r\nX-Rewrite-URL: /x\r\n\r\n",
    "a proxy header": GET + b"Proxy: http://x.example\r\n\r\n",
    "empty lines first": b"\r\n\r\n" + GET + END,
    "a long value": GET + b"X-A: " + b"a" * 1_000_000 + b"\r\n\r\n",
    "a long name": GET + b"a" * 100_000 + b": b\r\n\r\n",
    "very many headers": GET + b"".join(b"X-%d: y\r\n" % n for n in range(5000)) + END,
}
STARTS: dict[str, bytes] = {
    "no host": b"GET" + ME + WHO + OUTER + END,
    "two hosts": GET + b"Host: other.example\r\n\r\n",
    "a strange host": b"GET" + ME + b"Host: a b/c?d\r\n" + WHO + OUTER + END,
    "an empty host": b"GET" + ME + b"Host:\r\n" + WHO + OUTER + END,
    "an absolute address": b"GET http://other.example" + ME[1:] + HOST + WHO + OUTER + END,
    "an absolute address of a file": b"GET file:///etc/passwd HTTP/1.1\r\n"
    + HOST
    + WHO
    + OUTER
    + END,
    "only an authority": b"GET clinic.example:80 HTTP/1.1\r\n" + HOST + WHO + OUTER + END,
    "CONNECT": b"CONNECT clinic.example:443 HTTP/1.1\r\n" + HOST + WHO + OUTER + END,
    "TRACE": b"TRACE" + ME + HOST + WHO + OUTER + END,
    "a star": b"OPTIONS * HTTP/1.1\r\n" + HOST + WHO + OUTER + END,
    "HTTP/0.9": b"GET /api/v1/me\r\n",
    "HTTP/1.0": GET.replace(b"HTTP/1.1", b"HTTP/1.0") + END,
    "HTTP/2.0": GET.replace(b"HTTP/1.1", b"HTTP/2.0") + END,
    "HTTP/9.9": GET.replace(b"HTTP/1.1", b"HTTP/9.9") + END,
    "no version": b"GET /api/v1/me\r\n" + HOST + WHO + OUTER + END,
    "http/1.1 in small letters": GET.replace(b"HTTP/1.1", b"http/1.1") + END,
    "the preface of HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\x00" * 9,
    "an upgrade": GET
    + b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AA\r\n\r\n",
    "a web socket": GET
    + b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: eA==\r\n\r\n",
    "a TLS greeting": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 500,
    "noise": bytes(range(256)) * 8,
    "a method that is none": b"G<>T" + ME + HOST + WHO + OUTER + END,
    "a long method": b"A" * 100_000 + ME + HOST + WHO + OUTER + END,
    "a long path": b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\n" + HOST + WHO + OUTER + END,
    "a path with blanks": b"GET /api/v1/me /x HTTP/1.1\r\n" + HOST + WHO + OUTER + END,
    "a path with a line": b"GET /api/v1/me\r\nX: y HTTP/1.1\r\n" + HOST + WHO + OUTER + END,
    "raw bytes in the path": b"GET /api/v1/\xff\xc0\xaf HTTP/1.1\r\n" + HOST + WHO + OUTER + END,
    "dots in the path": b"GET /api/v1/x/../me HTTP/1.1\r\n" + HOST + WHO + OUTER + END,
    "encoded slashes": b"GET /api%2fv1%2fme HTTP/1.1\r\n" + HOST + WHO + OUTER + END,
    "two slashes": b"GET //api/v1/me HTTP/1.1\r\n" + HOST + WHO + OUTER + END,
    "a fragment": b"GET /api/v1/me#x HTTP/1.1\r\n" + HOST + WHO + OUTER + END,
    "an expectation": POST + _length(b"2") + b"Expect: 100-continue\r\n\r\n{}",
    "an unknown expectation": POST + _length(b"2") + b"Expect: 200-ok\r\n\r\n{}",
}
SLOW: dict[str, bytes] = {
    "nothing": b"",
    "half a line": b"GET /api/v1/me HT",
    "half the headers": GET,
    "half a header": GET + b"X-A: b",
    "half a body": POST + _length(b"100") + b"\r\n{",
    "no body": POST + _length(b"100") + END,
    "half a chunk": POST + CHUNKED + END + b"ff\r\nx",
    "no last chunk": POST + CHUNKED + END + b"2\r\n{}\r\n",
    "an expectation without a body": POST + _length(b"100") + b"Expect: 100-continue\r\n\r\n",
    "a CR": b"\r",
    "half a body of nobody": b"POST /api/v1/patients HTTP/1.1\r\n"
    + HOST
    + JSON
    + _length(b"99")
    + b"\r\n{",
    "half a body of a sign-in": b"POST /api/v1/auth/token HTTP/1.1\r\n"
    + HOST
    + JSON
    + _length(b"99")
    + b"\r\n{",
}
"""What is never finished by the one who asks."""

BROKEN: dict[str, bytes] = LENGTHS | CODINGS | CHUNKS | LINES | STARTS
PIPELINED: dict[str, bytes] = {
    "two after another": GET + END + INNER,
    "a body, then another": POST + _length(b"2") + b"\r\n{}" + INNER,
    "chunks, then another": POST + CHUNKED + END + b"2\r\n{}\r\n0\r\n\r\n" + INNER,
    "a hundred": GET + END + INNER + (b"GET /livez HTTP/1.1\r\n" + HOST + END) * 98,
}
"""Right requests one after another: each is answered once."""
