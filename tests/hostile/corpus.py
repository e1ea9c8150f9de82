"""The hostile corpus: JSON values, member names, whole bodies, queries and headers."""

import codecs
import gzip
import json
from urllib.parse import quote

from tests.hostile.texts import LONG, NAMES, SAME, TEXTS


def _deep(opening: str, closing: str, depth: int) -> bytes:
    return (opening * depth + "1" + closing * depth).encode()


NUMBERS = [
    *(
        "0",
        "-0",
        "-1",
        "1",
        "2",
        "5",
        "1.0",
        "0.1",
        "-0.0",
        "1e0",
        "1E2",
        "1E400",
        "-1E400",
        "1e308",
    ),
    *(
        "1e-400",
        "5e-324",
        "1.7976931348623157e308",
        "1e22",
        "123456789012345678.0",
        "0.30000000000000004",
    ),
    *(
        "2147483647",
        "2147483648",
        "-2147483649",
        "4294967296",
        "9007199254740992",
        "9007199254740993",
    ),
    *("-9007199254740993", "9223372036854775807", "9223372036854775808", "18446744073709551616"),
    *(
        "32768",
        "65536",
        "101",
        "10001",
        "99999999999",
        "5.7",
        "1e1",
        "100.5",
        "1" * 100,
        "1" * 4299,
    ),
    *("1" * 4301, "1" * 5000, "0." + "1" * 3000, "1e" + "9" * 50),
]
NO_NUMBERS = [
    *("NaN", "Infinity", "-Infinity", "01", "+1", ".5", "1.", "0x10", "1_000", "--1", "1e", "nan"),
    *(
        "tru",
        "True",
        "None",
        "undefined",
        "'a'",
        '"',
        '"a',
        "[",
        "{",
        "]",
        "}",
        "[1,]",
        "1 2",
        "",
        ",",
    ),
    *("/*a*/1", "1//x", '"\\x"', '"\\u12"', '"\\u"', '"\\', '{"a"}', '{"a":}', "{a:1}", '{"a":1,}'),
]
VALUES = [
    *(
        "null",
        "true",
        "false",
        "[]",
        "{}",
        "[null]",
        "[[]]",
        "[{}]",
        '{"":0}',
        '{"a":null}',
        '[""]',
    ),
    *(
        '{"__proto__":{}}',
        '{"constructor":{"prototype":{}}}',
        '{"$gt":""}',
        '{"$ref":"#"}',
        "[true]",
    ),
    *('{"a":1,"a":2}', '[1,"a",null,{}]', f'["{SAME}"]', f'{{"id":"{SAME}"}}', '{"\\u0000":1}'),
    *('{"\\ud800":1}', '["\\ud800"]', '["\\u0000"]', '[{"a":1},{"a":1}]', f'["{SAME}","{SAME}"]'),
    *('{"given":"\\u0000","family":"x"}', '{"phq9-1":1e400}', '{"phq9-1":9007199254740993}', "[0]"),
    *('{"en-US":{"x":"y"}}', '{"phq9-9":true}', '{"phq9-9":"3"}', '{"phq9-9":3.0}', '{"-1":-1}'),
    "[" + ",".join(["0"] * 101) + "]",
    "[" + ",".join(['"x"'] * 1000) + "]",
    "[" + ",".join(["{}"] * 501) + "]",
    "[" + ",".join(["1"] * 10_001) + "]",
    "{" + ",".join(f'"k{n}":{n}' for n in range(1000)) + "}",
    "{" + ",".join(f'"k{n}":{n}' for n in range(10_001)) + "}",
]
BYTES = [
    *(
        b'"a\nb"',
        b'"a\x00b"',
        b'"\x7f"',
        b'"\xff"',
        b'"\xc0\xaf"',
        b'"\xed\xa0\x80"',
        b'"\xe2\x82"',
    ),
    *(
        b'"\xf4\x90\x80\x80"',
        b'"\xfe\xff"',
        b"\xef\xbb\xbf1",
        b"\x00",
        b"\xff",
        b'"\x1f"',
        b"\xc2\xa01",
    ),
]
DEEP = [
    *(_deep("[", "]", depth) for depth in (2, 29, 30, 31, 32, 33, 100, 999, 5000, 50_000)),
    *(_deep('{"a":', "}", depth) for depth in (2, 29, 30, 31, 32, 33, 100, 999, 5000, 20_000)),
    b"[" * 100_000,
    b'{"a":' * 20_000,
]
RAW: list[bytes] = [
    *(word.encode() for word in (*NUMBERS, *NO_NUMBERS, *VALUES)),
    *BYTES,
    *DEEP,
    *(json.dumps(text).encode() for text in TEXTS),  # written with escapes, lone surrogates too
    *(f'"{text}"'.encode() for text in ("\u00e9", "\U0001f600", "\u202e", "\ufeff")),
]
"""Every hostile value as the bytes that stand in the body."""

MEMBERS: list[bytes] = [json.dumps(name).encode() + b":1" for name in NAMES] + [
    *(b'"a":1,"a":2', b'"a":{"b":1,"b":2}', b'"a":NaN', b'"a"', b"a:1", b'"a":1,', b'"\xff":1'),
    *(b'"id":"' + SAME.encode() + b'"', b'"a":' + b"[" * 40 + b"]" * 40, b'"__proto__":{"a":1}'),
]
"""Members that are added to an object that is right without them."""

_PLAIN = b'{"text": "x"}'
BODIES: list[bytes] = [
    *(
        b"",
        b" ",
        b"\n",
        b"{",
        b"}",
        b"null",
        b"true",
        b"0",
        b'"text"',
        b"[]",
        b"[{}]",
        b"{}{}",
        b"{} x",
    ),
    *(
        codecs.BOM_UTF8 + _PLAIN,
        _PLAIN + b"\x00",
        b"\x00" + _PLAIN,
        _PLAIN.decode().encode("utf-7") + b"+",
    ),
    *(
        _PLAIN.decode().encode(name)
        for name in ("utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le")
    ),
    *(
        gzip.compress(_PLAIN, mtime=0),
        b"\x80",
        b"\xff" * 100,
        '{"text": "\u00e9"}'.encode("latin-1"),
    ),
    *(b"text=x&kind=y", b"--b\r\nContent-Disposition: form-data; name=a\r\n\r\n1\r\n--b--\r\n"),
    *(
        b"<a/>",
        b"a: 1\n",
        b"callback({})",
        b")]}',\n{}",
        b"\x81\xa4text\xa1x",
        b"// {}\n{}",
        b"{'text': 1}",
    ),
    *(
        b" " * 200_000 + b"{}",
        b"{}" + b" " * 200_000,
        b"{" + b" " * 262_143 + b"}",
        b"{" + b" " * 262_142 + b"}",
    ),
    *(b'{"a":' * 5000 + b"1" + b"}" * 5000, b"[" * 5000 + b"]" * 5000, b"[" * 200_000),
    b"{" + b",".join(b'"k%d":%d' % (n, n) for n in range(9999)) + b"}",
    b"{" + b",".join(b'"k":%d' % n for n in range(9999)) + b"}",
    b'{"a":' + b"1" * 200_000 + b"}",
    b'{"a":"' + b"\\u0000" * 40_000 + b'"}',
]
"""Whole bodies."""

MEDIA = [
    *(
        "",
        "text/plain",
        "application/xml",
        "application/x-www-form-urlencoded",
        "application/jsonp",
    ),
    *(
        "application/json; charset=utf-16",
        "application/json;charset=\xff",
        "APPLICATION/JSON",
        "json",
    ),
    *("application/json, text/html", "application/merge-patch+json", "application/json-patch+json"),
    *(
        "multipart/form-data; boundary=b",
        "application/vnd.api+json",
        "application/json;" * 200,
        "*/*",
    ),
]
"""What a body is said to be."""

RAW_QUERIES = [
    *(
        "",
        "%00",
        "%ff",
        "%c0%af",
        "%ed%a0%80",
        "%e2%82",
        "%",
        "%zz",
        "%u0000",
        "+",
        "%2b",
        "%20",
        "%0d%0a",
    ),
    *("%252e", "a&a", "[]", "[0]=1", "%f4%90%80%80", "\u00e9", "a;b", "%EF%BB%BF", "%80"),
]
QUERIES: list[str] = RAW_QUERIES + [
    quote(text.encode("utf-8", "surrogatepass"), safe="") for text in TEXTS if len(text) < 10_000
]
"""Query values as they stand in the address."""
SEGMENTS: list[str] = [
    *(
        quote(text.encode("utf-8", "surrogatepass"), safe="")
        for text in TEXTS
        if 0 < len(text) < 600
    ),
    *("%2f", "%2e%2e", "..;", "%252f", "%c0%ae%c0%ae", "%ff"),
]
"""Segments of a path, where an id is expected."""

HEADERS: dict[str, list[str]] = {
    "If-Match": [
        *(
            "",
            "1",
            '"1',
            'W/"1"',
            '"-1"',
            '"1", "2"',
            '"9' + "9" * 400 + '"',
            '"\xff"',
            '"00"',
            '"1.0"',
        ),
        *(
            '""',
            "**",
            '"*"',
            '"2147483648"',
            '"9223372036854775808"',
            '"\xb2"',
            '" 1"',
            '"NaN"',
            '"a"',
        ),
    ],
    "If-None-Match": ["", "*", '"1', "W/", ",,,", '"\xff"', '"1",' * 500],
    "Idempotency-Key": [
        "",
        "x" * 255,
        "x" * 256,
        "\xe9",
        "\x7f",
        " ",
        "a b",
        "'",
        "%00",
        "a\tb",
        "x" * 5000,
    ],
    "X-Request-ID": ["", "x" * 65, "\xff", "a b", "../x", "<script>", "'; --"],
    "Accept": [
        "",
        "*/*;q=0",
        "image/svg+xml",
        "application/pdf",
        "text/html",
        "\xff",
        "a/b;" * 300,
        "x",
    ],
    "Accept-Language": ["", "*", "\xff", "en;q=9", "x-" * 500],
    "Authorization": [
        "",
        "Bearer",
        "Bearer \xff",
        "Basic YTpi",
        "Bearer " + "a" * 5000,
        "Bearer a.b.c",
    ],
    "traceparent": ["", "00-0-0-0", "ff" * 300, "\xff"],
    "Content-Encoding": ["gzip", "br", "deflate", "identity", "IDENTITY", "", "gzip, gzip", "\xff"],
    "Range": ["bytes=0-0", "bytes=-1", "bytes=9-1", "x", "bytes=" + "0-1," * 500],
    "X-Forwarded-For": ["127.0.0.1", "x" * 500, "\xff", "1.2.3.4, 5.6.7.8"],
    "X-Background": ["1", "\xff", "x" * 500],
    "Host": ["", "evil.example", "a b", "x" * 300, "[::1", "127.0.0.1:99999", "\xff"],
    "Prefer": [
        *(
            "",
            "respond-async",
            "handling=lenient",
            "handling=lenient;;=",
            "return=",
            "return=minimal",
        ),
        *("return=OperationOutcome", "\xff", "return=minimal; " * 300, ",;,"),
    ],
    "If-None-Exist": [
        *("", "?", "identifier=", "identifier=%00", "_id=%ff", "a=b&a=b", "\xff", "name:exact=x"),
        *("identifier=a|b" * 300, "_lastUpdated=gt2026", "identifier=|", "identifier=%ed%a0%80|a"),
    ],
    "If-Modified-Since": [
        *("", "x", "\xff", "Thu, 01 Jan 1970 00:00:00 GMT", "Fri, 31 Dec 9999 23:59:59 GMT"),
        *("Mon, 01 Jan 0001 00:00:00 GMT", "Fri, 31 Dec 9999 23:59:59 -1400"),
    ],
    "Cookie": ["a=b; " * 500, "\xff", "session=.eJx"],
}
"""Values of headers; what can't stand in a header at all is sent by the raw framing tests."""

assert max(map(len, LONG)) < 256 * 1024
