"""Attacks on the rows of a release; each is first shown to succeed against a naive export."""

import base64
import gzip
import hashlib
import hmac
import json
import os
import re
from collections import Counter
from collections.abc import Callable
from datetime import date, timedelta
from itertools import product
from pathlib import Path
from time import time
from typing import Any
from uuid import NAMESPACE_OID, UUID, uuid5

import pandas as pd
import pyarrow.parquet as pq
import pytest
from flask import Flask
from scipy.stats import spearmanr

from api import db
from api.core.release import anonymity, codes, deidentify as d, writing
from api.core.release.shapes import shapes
from tests.research import naive
from tests.research.clinic import CANARIES, Clinic, codes_of, make_clinic, open_project
from tests.research.reading import Files

LEAST = 11
QUASI = ("age_band", "sex_at_birth", "state", "diagnosis_group", "route")


def all_bytes(files: Files) -> bytes:
    """Every byte of every file, as it lies, unzipped and decoded."""
    found = []
    for path in files.paths:
        raw = path.read_bytes()
        found.append(raw)
        if path.suffix == ".gz":
            found.append(gzip.decompress(raw))
        if path.suffix == ".parquet":
            found.append(json.dumps(pq.read_table(path).to_pydict()).encode())
    return b"\n".join(found)


@pytest.fixture(scope="module")
def every_byte(files: Files) -> bytes:
    return all_bytes(files)


def spellings(word: str) -> list[bytes]:
    """A word as it may lie hidden: plain, UTF-16, and base64 at each of three offsets."""
    plain = word.encode()
    coded = [base64.b64encode(b"\0" * shift + plain)[4:-4] for shift in range(3)]
    return [plain, word.encode("utf-16-le"), *coded]


def found_in(words: Any, data: bytes) -> list[str]:
    return [word for word in words if any(one in data for one in spellings(word))]


def test_1_no_planted_word_is_in_any_byte(plain: Path, every_byte: bytes) -> None:
    zipped = gzip.decompress(gzip.compress(plain.read_bytes()))
    assert found_in(CANARIES, zipped) == list(CANARIES)
    assert found_in(CANARIES, every_byte) == []


def test_2_words_of_ones_own_are_no_words_of_a_file(plain: Path, tmp_path: Any) -> None:
    assert found_in(CANARIES, plain.read_bytes()) == list(CANARIES)  # where one may answer "other"
    own = "Janecanary's own scale"
    shape = shapes()["scores"]
    row = ["0" * 32, own, "1.0.0", "1.0.0", "baseline", 3, None, None, None, None, None, None, None]
    with pytest.raises(writing.NotInTheList):
        writing.write(tmp_path, shape, [[row]])


@pytest.mark.parametrize(
    ("born", "band"),
    [
        (date(1937, 6, 1), "80-89"),  # 89
        (date(1936, 2, 29), "90+"),
        (date(1936, 6, 1), "90+"),
        (date(1929, 1, 1), "90+"),
        (date(1922, 1, 1), "90+"),
        (date(2008, 6, 2), None),
    ],
)
def test_3_nobody_is_told_to_be_older_than_90(plain: Path, born: date, band: str | None) -> None:
    assert max(int(row["age"]) for row in naive.read(plain)) >= 97
    on = date(2026, 6, 1)
    assert d.age_band(born, on) == band
    for day in range(0, 3650, 50):
        later = d.age_band(born, on + timedelta(days=day))
        assert later in (None, *d.BANDS) and not (later or "").startswith("10")


def classes(rows: list[dict[str, Any]], names: tuple[str, ...]) -> Counter[tuple[Any, ...]]:
    return Counter(tuple(row[name] for name in names) for row in rows)


def test_4_the_oldest_of_a_rare_state_is_in_a_large_class(
    plain: Path, files: Files, first: db.Values
) -> None:
    assert min(classes(naive.read(plain), ("age", "state")).values()) == 1
    assert min(classes(files["subjects"], QUASI).values()) >= LEAST
    assert "90+" not in {row["age_band"] for row in files["subjects"]}


@pytest.mark.parametrize(
    "code", ["03601", "20210", "75390", "77201", "96910", "09012", "00802", "0360", "", "٠٣٦٠١"]
)
def test_5_places_of_few_are_000(code: str, large: Clinic, tmp_path: Path) -> None:
    one = naive.people(large)[0] | {"address": {"postal_code": code}}
    [told] = naive.read(naive.write([naive.row_of(one)], tmp_path))
    assert told["zip3"] != "000"  # the rest is cut off, and what is left names few
    assert d.zip3(code) == "000"


def test_5_places_of_many_are_told() -> None:
    assert d.zip3("02139") == "021" and len(d.ALLOWED_ZIP3) == 876


def test_12_two_projects_can_not_be_laid_side_by_side(
    large: Clinic, plain: Path, tmp_path: Path, first: db.Values
) -> None:
    assert first["state"] == "ready"
    twice = [naive.read(path) for path in (plain, naive.export(large, tmp_path))]
    ids = [{row["id"] for row in rows} for rows in twice]
    assert ids[0] == ids[1] and len(ids[0]) == len(large.patients)  # everybody is matched
    with db.transaction():
        project = open_project(large)
    with db.within(large.clinic_id):
        codes.give_codes(large.clinic_id, project)
    given = [codes_of(large, one) for one in (large.project_id, project)]
    assert set(given[0].values()) & set(given[1].values()) == set()
    places = [sorted(one, key=lambda who, one=one: one[who]) for one in given]  # type: ignore[misc]
    same = sum(a == b for a, b in zip(*places, strict=True))
    assert same < 10  # one is what chance gives


NUMBERS = int(os.environ.get("RESEARCH_NUMBERS", "1000000"))
"""How many record numbers are tried; `RESEARCH_NUMBERS=100000000` tries all of eight digits.

A million is enough. Where codes are made from numbers by one of these ways, they are made from
those of the subjects, and all of these are tried; any other number could meet one of 2,000 codes of
128 bits by chance alone, all 10^8 together with a chance of 10^8 * 2000 / 2^128 < 10^-27.
"""
WAYS: dict[str, Callable[[bytes, bytes], bytes]] = {
    **{
        name: lambda salt, word, name=name: hashlib.new(name, salt + word).digest()  # type: ignore[misc]
        for name in ("md5", "sha1", "sha256", "sha512", "sha3_256", "blake2b")
    },
    "word before salt": lambda salt, word: hashlib.sha256(word + salt).digest(),
    "hmac": lambda salt, word: hmac.digest(salt or b"x", word, "sha256"),
    "uuid5": lambda salt, word: uuid5(NAMESPACE_OID, (salt + word).decode()).bytes,
    "pbkdf2": lambda salt, word: hashlib.pbkdf2_hmac("sha256", word, salt, 1),
    "as it is": lambda salt, word: word,
}


def made_by(way: str, salt: str, word: str) -> set[str]:
    """The codes that a way to make them would give: of its beginning, its end, and turned."""
    digest = WAYS[way](salt.encode(), word.encode())
    return {digest[:16].hex(), digest[-16:].hex(), digest[:16][::-1].hex()}


def seen_salts(made: Clinic, one: db.Values, files: Files) -> list[str]:
    """What an analyst could take for a salt: all ids and words that the release shows."""
    told = [one["manifest"]["code_sha256"], one["manifest"]["policy_version"]]
    hashes = [each["sha256"] for each in one["manifest"]["files"]]
    named = [files.package["name"], "freshtrail-release-1", "freshtrail"]
    ids = [str(each) for each in (made.clinic_id, made.project_id, one["id"])]
    return ["", *ids, *(each.replace("-", "") for each in ids), *named, *told, *hashes]


def test_13_a_code_is_made_from_nothing_about_anybody(
    large: Clinic, plain: Path, files: Files, first: db.Values
) -> None:
    told = {row["id"] for row in naive.read(plain)}
    undone = {naive.hashed(n): n for n in range(10**5)}  # a record number has few digits
    assert told <= set(undone) and len(told) == len(large.patients)
    ids = {row["subject_id"] for row in files["subjects"]}
    assert all(re.fullmatch("[0-9a-f]{32}", one) for one in ids)
    salts = seen_salts(large, first, files)
    people = naive.people(large)
    numbers = [f"{place:08}" for place in range(len(people))]
    short = {one[:32] for one in told}
    assert short <= set().union(*(made_by("sha256", "", number) for number in numbers))
    for number, person in zip(numbers, people, strict=True):
        born = person["birth_on"].isoformat()
        known = [str(int(number)), person["id"].hex, str(person["id"]), born, number + born]
        known += ["|".join((person["legal_family"], person["legal_given"], born))]
        tried = [*product(salts, [number]), *product(salts if number < SOME else [""], known)]
        for way in WAYS:
            met = [one for one in tried if made_by(way, *one) & ids]
            assert met == [], way


SOME = f"{100:08}"
"""Below this number all that is known of somebody is tried with every salt, above it with none."""


def test_13_no_record_number_gives_a_code(files: Files, plain: Path) -> None:
    ids = {row["subject_id"] for row in files["subjects"]}
    naive_ids = {row["id"][:32] for row in naive.read(plain)}
    found, undone = 0, 0
    for number in range(NUMBERS):
        code = hashlib.sha256(b"%08d" % number).hexdigest()[:32]
        found += code in ids
        undone += code in naive_ids
    assert undone == len(naive_ids) and found == 0


def test_13_two_clinics_of_the_same_data_have_no_code_in_common(app: Flask, tmp_path: Path) -> None:
    twins = [make_clinic(40, seed=17) for _ in range(2)]
    ids = [
        {row["id"] for row in naive.read(naive.export(one, tmp_path / str(n)))}
        for n, one in enumerate(twins)
    ]
    assert ids[0] == ids[1]
    for one in twins:
        with db.within(one.clinic_id):
            codes.give_codes(one.clinic_id, one.project_id)
    given = [set(codes_of(one, one.project_id).values()) for one in twins]
    assert len(given[0]) == len(given[1]) == 40 and given[0] & given[1] == set()


def test_14_the_order_of_codes_tells_nothing_of_time(large: Clinic, plain: Path) -> None:
    ids = [row["chart_id"] for row in naive.read(plain)]
    assert abs(spearmanr(range(len(ids)), ranks(ids)).statistic) > 0.99  # made in order: UUIDv7
    made = [UUID(one).int >> 80 for one in ids]  # the milliseconds that it begins with
    assert max(made) - min(made) < 3_600_000 and max(made) < 1000 * time() + 60_000
    mine = codes_of(large, large.project_id)
    coded = [mine[who] for who in large.patients]
    assert abs(spearmanr(range(len(coded)), ranks(coded)).statistic) < 0.1
    assert len({one[12] for one in coded}) == 16  # no version of a UUID


def ranks(words: list[str]) -> list[int]:
    order = {word: place for place, word in enumerate(sorted(words))}
    return [order[word] for word in words]


def test_15_the_order_of_rows_is_that_of_the_codes(
    large: Clinic, plain: Path, files: Files
) -> None:
    admitted = {str(who): place for place, who in enumerate(large.patients)}
    lies = [admitted[row["chart_id"]] for row in naive.read(plain)]
    assert spearmanr(range(len(lies)), lies).statistic > 0.99  # the n-th row is the n-th patient
    for table in ("subjects", "scores", "sessions", "steps", "trail", "safety", "moments"):
        ids = [row["subject_id"] for row in files[table]]
        assert ids == sorted(ids)
    codes = codes_of(large, large.project_id)
    who = {codes[patient]: place for place, patient in enumerate(large.patients)}
    enrolled = [who[row["subject_id"]] for row in files["subjects"]]
    assert abs(spearmanr(range(len(enrolled)), enrolled).statistic) < 0.1


def test_16_no_birthday_follows_from_what_is_told(large: Clinic, plain: Path, files: Files) -> None:
    people, narrowed = naive.people(large), naive.birthdays(plain)
    assert min((after - before).days for _, before, after in narrowed) <= 11
    for place, before, after in narrowed:
        born = people[place]["birth_on"]
        assert any(before < born.replace(year=y) <= after for y in {before.year, after.year})
    names = {field.name for shape in shapes().values() for field in shape.fields}
    assert not {
        name for name in names if re.search(r"date|_on$|_at$|year|month|^age(?!_band)", name)
    }
    assert "age_band" not in {
        f.name for s in shapes().values() if s.name != "subjects" for f in s.fields
    }


DATES = re.compile(rb"(?<![0-9a-f-])(19|20)\d\d-\d\d|\d\d:\d\d(:\d\d)?[^0-9a-f]|T\d\d:|Z\"")


def test_17_there_is_no_day_and_no_hour_anywhere(large: Clinic, plain: Path, files: Files) -> None:
    visited, days = naive.doses(large), Counter[int]()
    for row in naive.read(plain):
        first = date.fromisoformat(row["first_on"])
        told = [(first + timedelta(days=int(day))).weekday() for day in row["visits"].split()]
        first_at = visited[UUID(row["chart_id"])][0]
        assert told[0] == first_at.weekday()  # the very day of the week of each visit
        days.update((one - told[0]) % 7 for one in told[1:])
    assert sum(n for _, n in days.most_common(2)) > 0.9 * days.total()  # the rhythm of the week
    for table in shapes():
        unzipped = gzip.decompress((files.folder / f"{table}.csv.gz").read_bytes())
        assert DATES.search(unzipped) is None, table
    assert {row["window"] for row in files["sessions"]} <= set(d.CODES)


def test_18_one_known_day_tells_of_no_other(large: Clinic, plain: Path, files: Files) -> None:
    visited = naive.doses(large)
    for person, row in zip(naive.people(large), naive.read(plain), strict=True):
        some = visited[person["id"]]  # who knows the first day knows every other to the day
        reckoned = [some[0] + timedelta(days=int(day)) for day in row["visits"].split()]
        assert reckoned == some
    assert {row["window"] for row in files["sessions"]} <= set(d.CODES)
    width = min(w.last - w.first + 1 for w in d.WINDOWS)
    assert width >= 10
    print(f"residual: who knows the first dose of a subject knows the others to {width} days")


def patterns(files: Files) -> Counter[tuple[Any, ...]]:
    by: dict[str, list[Any]] = {row["subject_id"]: [] for row in files["subjects"]}
    for row in files["sessions"]:
        by[row["subject_id"]].append((row["window"], row["kind"], row["held"]))
    return Counter(tuple(sorted(some)) for some in by.values())


def test_19_nobodys_visits_are_unlike_everybodys(
    plain: Path, files: Files, first: db.Values
) -> None:
    alone = [visits for (visits,), n in naive.counts(plain, "visits").items() if n == 1]
    assert "0 1 2 3 4 5 6 7 8" in alone  # nine sessions in nine days
    found = min(patterns(files).values())
    assert found >= LEAST and found == first["manifest"]["k_of_visits"]


def test_19_visits_that_part_from_others_are_cut_where_they_do() -> None:
    usual, odd = (
        (("baseline", "dosing", "1"), ("week_01", "dosing", "1")),
        ("week_24", "intake", "3+"),
    )
    seen = {f"{n}": usual for n in range(20)} | {f"o{n}": (*usual, odd) for n in range(11)}
    assert anonymity.shortened(seen) == seen
    told = anonymity.shortened(seen | {"x": (*usual, ("week_24", "dosing", "1"))})
    assert "x" not in told and set(told.values()) == {usual, (*usual, odd)}


def test_20_answers_to_single_items_are_not_told(plain: Path, files: Files) -> None:
    rows = naive.read(plain)
    vectors = Counter(row["answers"].split("]")[0] for row in rows)
    assert list(vectors.values()).count(1) > len(rows) * 0.9  # the first answers name a row
    names = {field.name for shape in shapes().values() for field in shape.fields}
    assert not [name for name in names if re.search(r"\d-\d|item|answer(?!ed)", name)]


def test_21_what_is_rare_is_no_word_of_any_data(large: Clinic, files: Files) -> None:
    plain = {p["sex_at_birth"] for p in naive.people(large)}
    assert "intersex" in plain
    for table in shapes():
        told = json.dumps(files[table])
        assert "intersex" not in told and '"VT"' not in told
        raw = (files.folder / f"{table}.parquet").read_bytes()
        assert b"intersex" not in raw and b"VT" not in pq_words(files, table)
    constant = [[(f.name, f.words) for f in shape.fields] for shape in shapes().values()]
    listed = [
        [
            (f["name"], tuple(f.get("constraints", {}).get("enum", ())))
            for f in r["schema"]["fields"]
        ]
        for r in files.package["resources"]
    ]
    assert listed == constant  # headers and lists are those of the code, whatever the data


def pq_words(files: Files, table: str) -> set[bytes]:
    columns = pq.read_table(files.folder / f"{table}.parquet").to_pydict().values()
    return {str(value).encode() for values in columns for value in values}


def test_22_parquet_tells_of_nothing_but_its_rows(
    plain: Path, files: Files, tmp_path: Path
) -> None:
    frame = pd.read_csv(plain)
    frame["sex"] = frame["sex"].astype("category")
    few = (frame["sex"] == "intersex") | (frame["state"] == "WY")
    frame = frame[~few]  # left out, as one thinks
    frame.to_parquet(tmp_path / "naive.parquet", compression=None)
    written = pq.ParquetFile(tmp_path / "naive.parquet")
    assert b"pandas" in written.metadata.metadata and written.metadata.metadata[b"ARROW:schema"]
    assert written.schema_arrow.names[-1] == "__index_level_0__"  # the place of each row
    ages = written.metadata.row_group(0).column(frame.columns.get_loc("age")).statistics
    assert ages.max == frame["age"].max()
    assert b"intersex" in (tmp_path / "naive.parquet").read_bytes()  # the dictionary kept it
    for table in shapes():
        path = files.folder / f"{table}.parquet"
        told = pq.ParquetFile(path).metadata
        assert told.metadata is None and told.created_by.startswith("parquet-cpp-arrow")
        for group in range(told.num_row_groups):
            for column in range(told.num_columns):
                assert told.row_group(group).column(column).statistics is None
        raw = path.read_bytes()
        assert b"pandas" not in raw and b"ARROW:schema" not in raw


def test_23_gzip_tells_neither_name_nor_time(plain: Path, files: Files, tmp_path: Path) -> None:
    with gzip.open(tmp_path / "janes-export.csv.gz", "wb") as file:
        file.write(plain.read_bytes())
    naively = (tmp_path / "janes-export.csv.gz").read_bytes()
    assert naively[3] == 8 and naively[10:].startswith(b"janes-export.csv\0")  # FNAME (RFC 1952)
    assert abs(int.from_bytes(naively[4:8], "little") - time()) < 3600
    zipped = list(files.folder.glob("*.gz"))
    assert len(zipped) == len(shapes())
    for path in zipped:
        head = path.read_bytes()[:10]
        assert head[3] == 0 and head[4:8] == b"\0\0\0\0"  # no flags, no time


def test_27_no_column_names_a_site_or_a_therapist(
    large: Clinic, plain: Path, every_byte: bytes
) -> None:
    assert {row["site"] for row in naive.read(plain)} == {str(large.clinic_id)}
    names = {field.name for shape in shapes().values() for field in shape.fields}
    assert not [name for name in names if re.search("site|clinic|therap|room|staff", name)]
    assert large.clinic_id.hex.encode() not in every_byte
    assert str(large.clinic_id).encode() not in every_byte


def test_28_those_of_one_house_have_nothing_in_common(large: Clinic, plain: Path) -> None:
    codes = list(codes_of(large, large.project_id).values())
    houses = Counter(row["household"][:8] for row in naive.read(plain))
    assert min(houses.values()) > 2  # an id from address and surname lays them side by side
    beginnings = Counter(code[:8] for code in codes)
    assert max(beginnings.values()) <= 2


def test_31_look_alikes_are_in_no_list(large: Clinic, tmp_path: Any) -> None:
    trick = "Ｊａｎｅ\u200bcanary"  # passes a filter of names, and stands in the file
    one = naive.people(large)[0] | {"gender_identity": trick}
    path = naive.write([naive.row_of(one)], tmp_path / "naive")
    assert found_in(CANARIES, trick.encode()) == [] and trick in path.read_text()
    shape = shapes()["subjects"]
    sound = ["0" * 32, "30-39", "female", "CO", "unknown", "oral", "ketamine", "yes", "no", None]
    writing.write(tmp_path, shape, [[sound]])
    for place, trick in ((2, "fe\u200bmale"), (2, "ｆｅｍａｌｅ"), (3, "СO"), (1, "30-39 ")):
        with pytest.raises(writing.NotInTheList):
            writing.write(tmp_path, shape, [[[*sound[:place], trick, *sound[place + 1 :]]]])


def test_32_no_cell_is_a_formula(large: Clinic, files: Files, tmp_path: Path) -> None:
    one = naive.people(large)[0] | {"gender_identity": '=HYPERLINK("http://x.example")'}
    [told] = naive.read(naive.write([naive.row_of(one)], tmp_path))
    assert told["gender"].startswith("=")  # a spreadsheet runs it
    for table in shapes():
        for row in files[table]:
            for value in row.values():
                if value[:1] in ("=", "+", "-", "@"):
                    float(value)  # a negative difference is a number


@pytest.mark.parametrize("region", ["Colorado", "=1+1", "CO\u200b", "ＣＯ", "", None, "Bayern"])
def test_a_state_is_a_code_of_the_list_or_nothing(region: str | None) -> None:
    assert d.state_of(region, "US") is None


def test_a_state_elsewhere_is_none_of_ours() -> None:
    assert d.state_of("CO", "CO") is None and d.state_of(" co ", "US") == "CO"
