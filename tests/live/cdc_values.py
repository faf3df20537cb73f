"""Values of every type of the server, written as SQL, extreme ones included."""

from __future__ import annotations

from typing import Final

_FLOATS = (
    "0 -0 1 -1 0.1 1e-5 0.0001 123456 1234567 999999 1e15 1e14 123456789012345.6 1.5e300 -2.5e-300"
    " NaN Infinity -Infinity 3.4028235e38 1.17549435e-38 5e-324"
).split()
_SMALL = "0 -0 1 0.1 1e-5 0.0001 123456 1234567 999999 1e6 3.4028235e38 1e-45 NaN -Infinity".split()
_MOMENTS = (
    "2026-11-23 10:20:30.5",
    "1970-01-01 00:00:00",
    "1969-12-31 23:59:59.999999",
    "0044-03-15 12:00:00 BC",
    "4713-01-02 00:00:00 BC",
    "294276-12-31 23:59:59.999999",
    "2000-02-29 24:00:00",
    "12026-01-01 00:00:00.000001",
    "infinity",
    "-infinity",
)
_INTERVALS = (
    "0",
    "1 year",
    "1 mon",
    "-1 year 2 mons -3 days 04:05:06.789",
    "1 year -1 day",
    "-1 day +02:03:04",
    "-00:00:00.000001",
    "178000000 years",
    "100000:00:00",
    "-2 years +3 mons",
)
_NUMERICS = (
    "0 0.00 1 -1 10000 9999 0.0001 0.00001 -0.5 123456789.123456789 1e100 1e-100 NaN Infinity"
    " -Infinity 99999999999999999999999999.9999 100000000 -0.00000001 12345.6789000"
).split()
_INETS = (
    "10.0.0.1 10.0.0.0/8 0.0.0.0/0 255.255.255.255 ::1 :: ::ffff:1.2.3.4 2001:db8::1/64 ::1.2.3.4"
    " 1:0:0:2:0:0:0:3 fe80::1 1:2:3:4:5:6:7:8 ::5:6:7:8 1::/128 0:0:1:: ::ffff:0:0/96"
).split()
_CIDRS = "10.0.0.0/8 192.168.1.0/24 10.1.2.3/32 ::/0 2001:db8::/32 ::ffff:1.2.3.0/120".split()
_POINTS = "(0,0) (1.5,-2) (1e300,NaN) (Infinity,-0)".split()

VALUES: Final[dict[str, tuple[str, ...]]] = {
    "bool": ("t", "f"),
    '"char"': ("a", "", "\\377"),
    "name": ("a", "Straße", ""),
    "text": ("", "a", "NULL", "a'b\"c\\d", "ä€😀", "x" * 9000),
    "varchar(10)": ("abc",),
    "bpchar(5)": ("ab",),
    "bytea": ("", "\\x00ff7f80", "\\x" + "ab" * 300),
    "int2": ("0", "-32768", "32767"),
    "int4": ("0", "-1", "2147483647", "-2147483648", "8191", "8192", "-8192", "-8193"),
    "int8": ("0", "-1", "9223372036854775807", "-9223372036854775808", "268435456"),
    "oid": ("0", "4294967295"),
    "xid": ("0", "4294967295"),
    "cid": ("7",),
    "xid8": ("18446744073709551615",),
    "tid": ("(0,1)", "(4294967295,65535)"),
    "float4": tuple(_SMALL),
    "float8": tuple(_FLOATS),
    "numeric": tuple(_NUMERICS),
    "numeric(12,4)": ("0", "1.5", "-99999999.9999", "NaN", "0.0001"),
    "numeric(6,-2)": ("123400", "-100", "0"),
    "numeric(3,5)": ("0.00123", "-0.00999"),
    "numeric(38,10)": ("1234567890123456789012345678.0123456789", "-0.0000000001"),
    "money": ("0", "12.34", "-1234567.89", "92233720368547758.07"),
    "date": ("2026-11-23", "0001-01-01", "0044-03-15 BC", "5874897-12-31", "infinity", "-infinity"),
    "time": ("00:00:00", "24:00:00", "23:59:59.999999", "10:20:30.5"),
    "time(3)": ("23:59:59.999", "00:00:00"),
    "time(0)": ("23:59:59",),
    "timetz": ("10:20:30.5+02", "00:00:00-15:59", "24:00:00+00", "01:02:03.000004+05:30:15"),
    "timestamp": _MOMENTS,
    "timestamp(3)": ("2026-11-23 10:20:30.5", "1969-12-31 23:59:59.999", "infinity"),
    "timestamp(0)": ("2026-11-23 10:20:30",),
    "timestamptz": tuple(f"{each} UTC" if "inf" not in each else each for each in _MOMENTS),
    "timestamptz(3)": ("2026-11-23 10:20:30.5+02", "0044-03-15 12:00:00+00 BC", "-infinity"),
    "timestamptz(0)": ("2026-11-23 10:20:30+02", "12026-11-23 10:20:30+02"),
    "interval": _INTERVALS,
    "uuid": ("a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", "00000000-0000-0000-0000-000000000000"),
    "json": ('{"a": [1, 2.50]}', '"ä"', "null"),
    "jsonb": ('{"b": 1, "a": [1, 2.50]}', '"ä"', "null"),
    "jsonpath": ("$.a[*] ? (@ > 1)",),
    "bit": ("0", "1"),
    "bit(8)": ("10101010", "00000000"),
    "bit(11)": ("10000000001",),
    "varbit": ("", "1", "101010101"),
    "varbit(5)": ("01",),
    "inet": tuple(_INETS),
    "cidr": tuple(_CIDRS),
    "macaddr": ("08:00:2b:01:02:03",),
    "macaddr8": ("08:00:2b:01:02:03:04:05",),
    "point": tuple(_POINTS),
    "lseg": ("[(1,2),(3,4.5)]",),
    "box": ("(3,4),(1,2)",),
    "path": ("((1,2),(3,4))", "[(1,2),(3,4)]"),
    "polygon": ("((1,2),(3,4),(5,6))",),
    "line": ("{1,2,3}",),
    "circle": ("<(1,2),3>",),
    "tsvector": ("", "a fat:1A,2B 'c''d':3C,4 'e\\\\f'"),
    "tsquery": (
        "",
        "a & b | !c",
        "(a | b) & !(c & d)",
        "a <-> b <3> c",
        "a <-> (b <-> c)",
        "a:*AB & (b <-> c)",
        "!!a",
        "!(a <-> b) | c",
    ),
    "pg_lsn": ("0/0", "16/B374D848", "FFFFFFFF/FFFFFFFF"),
    "txid_snapshot": ("10:20:10,14,15", "10:10:"),
    "pg_snapshot": ("10:20:10,14,15",),
    "int2vector": ("1 2 3", ""),
    "oidvector": ("1 4294967295", ""),
    "int4range": ("empty", "[1,5)", "(,)", "[1,)", "(,5)"),
    "int8range": ("[1,9223372036854775807)",),
    "numrange": ("[1.50,2.0]", "(NaN,)", "(1,Infinity]"),
    "tsrange": ('["2026-01-01 00:00:00",infinity)', '("2026-01-01 00:00:00.5",)'),
    "tstzrange": ('["2026-01-01 00:00:00+02","2026-01-02 00:00:00+00"]',),
    "daterange": ("[2026-01-01,2026-02-01)", "[-infinity,infinity]"),
    "int4multirange": ("{}", "{[1,3),[5,7)}"),
    "nummultirange": ("{[1.5,2.5),[3,)}",),
    "tstzmultirange": ('{["2026-01-01 00:00:00+00","2026-01-02 00:00:00+00")}',),
    "int4[]": ("{}", "{1,NULL,-3}", "{{1,2},{3,4}}", "[0:1]={1,2}", "[2:3][-1:0]={{1,2},{3,4}}"),
    "text[]": ("{}", '{a,"NULL",null,"","a b","a,b","a\\"b","a\\\\b","{x}",ä}', "{{{a}},{{b}}}"),
    "numeric(8,2)[]": ("{1.50,NaN,NULL}",),
    "timestamptz[]": ('{"2026-11-23 10:20:30.5+00",infinity}',),
    "bool[]": ("{t,f,NULL}",),
    "bytea[]": ('{"\\\\x00ff",NULL}',),
    "box[]": ("{(3,4),(1,2);(5,6),(1,2)}",),
    "uuid[]": ("{a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11}",),
    "json[]": ('{"{\\"a\\": 1}"}',),
    "float8[]": ("{1.5,NaN,-Infinity}",),
    "date[]": ("{2026-01-01,infinity}",),
    "inet[]": ("{10.0.0.1,::1}",),
    "int4range[]": ('{"[1,5)",empty}',),
    "mood": ("sad", "very glad"),
    "mood[]": ('{sad,"very glad",NULL}',),
    "short": ("abc",),
    "amount": ("1.50", "NaN"),
    "pair": ('(1,"a ""b"" (c), \\\\ ä")', "(,)", '(2,"")', "(3,NULL)"),
    "nest": ('("(1,a)","{1,2}","[1,5)",2026-01-01)', "(,,,)"),
    "pair[]": ('{"(1,a)",NULL,"(,\\"x y\\")"}',),
    "floats": ("[1.5,2.5)", "empty"),
}
"""Per type (of `TYPES` below too) the text of some values. The local server knows no xml."""

TYPES: Final = (
    "create type mood as enum ('sad', 'very glad')",
    "create domain short as varchar(5)",
    "create domain amount as numeric(10,2)",
    "create type pair as (number int, word text)",
    "create type nest as (inner_pair pair, numbers int[], extent int4range, day date)",
    "create type floats as range (subtype = float8, subtype_diff = float8mi)",
)
"""Types of users' own."""
