"""Agents, suppliers and their contacts; loading them from CSV."""

import pytest

from tests.tui.cli.conftest import CommandLine

HEAD = "kind,code,name,contact,email,type\n"
GOOD = (
    HEAD
    + "agent,ALP,Alpine Tours,Ann,ann@alp.example,RS\n"
    + "agent,ALP,Alpine Tours,Bob,bob@alp.example,ac\n"
    + "supplier,KIW,Kiwi Trails,,kiwi@trails.example,RS\n"
)


@pytest.fixture(params=["agent", "supplier"])
def kind(request: pytest.FixtureRequest, codes: CommandLine) -> str:
    codes.done(request.param, "add", "alp", "--name", "Alpine Tours")
    return str(request.param)


def contacts(tourmail: CommandLine) -> list[str]:
    return [row["email"] for row in tourmail.done("contact", "list", "--json").json]


# ------------------------------------------------------------------------- agents and suppliers


def test_a_party_is_added_listed_renamed_and_deleted(codes: CommandLine, kind: str) -> None:
    assert codes.done(kind, "list", "--json").json == [
        {"code": "ALP", "name": "Alpine Tours", "contacts": 0}
    ]
    codes.done("contact", "add", kind, "ALP", "--email", "a@alp.example", "--type", "RS")
    renamed = codes.done(kind, "edit", "alp", "--name", "Alps", "--json").json
    assert (renamed["name"], len(renamed["contacts"])) == ("Alps", 1)
    assert "a@alp.example" in codes.done(kind, "show", "ALP").out
    kept = codes(kind, "delete", "ALP", stdin="n\n", terminal=True)
    assert (kept.code, "with 1 contact?" in kept.err) == (1, True)
    codes.done(kind, "delete", "ALP")
    assert codes.done(kind, "list", "--json").json == []


@pytest.mark.parametrize(
    ("code", "name", "told"),
    [
        ("Alp", "x", "CODE: ALP exists already."),
        ("", "x", "CODE: "),
        ("ABCDEFG", "x", "CODE: "),
        ("A-1", "x", "CODE: "),
        ("A\n1", "x", "CODE: "),
        ("NEW", "", "--name: Required."),
        ("NEW", "x" * 61, "--name: At most 60 characters."),
        ("NEW", "a\x1b[31m", "--name: Control characters"),
    ],
)
def test_wrong_parties_are_told_by_option(
    codes: CommandLine, kind: str, code: str, name: str, told: str
) -> None:
    ended = codes(kind, "add", code, "--name", name)
    assert ended.code == 2
    assert told in ended.err
    assert len(codes.done(kind, "list", "--json").json) == 1


def test_a_long_list_is_listed_whole(codes: CommandLine) -> None:
    rows = "".join(f"agent,A{n},Agent {n},,,\n" for n in range(450))
    codes.done("contact", "load", codes.file("many.csv", HEAD + rows))
    assert len(codes.done("agent", "list", "--json").json) == 450


# ------------------------------------------------------------------------- single contacts


def test_a_contact_is_added_changed_and_deleted(codes: CommandLine, kind: str) -> None:
    codes.done(
        *("contact", "add", kind, "ALP", "--email", "Ann@alp.example", "--type", "rs"),
        *("--name", "Ann"),
    )
    [row] = codes.done("contact", "show", "ann@ALP.example", "--json").json
    assert row == {
        "kind": kind,
        "code": "ALP",
        "name": "Alpine Tours",
        "contact": "Ann",
        "email": "Ann@alp.example",
        "type": "RS",
    }
    codes.done("contact", "edit", kind, "alp", "ann@alp.example", "--name", "Anna")
    assert "Anna" in codes.done("contact", "list").out
    codes.done("contact", "delete", kind, "alp", "ann@alp.example")
    assert contacts(codes) == []


def test_an_address_with_two_types_is_changed_by_naming_one(codes: CommandLine, kind: str) -> None:
    for type_ in ("RS", "AC"):
        codes.done("contact", "add", kind, "ALP", "--email", "a@b.com", "--type", type_)
    ended = codes("contact", "delete", kind, "ALP", "a@b.com")
    assert (ended.code, "RS, AC" in ended.err) == (2, True)
    codes.done("contact", "delete", kind, "ALP", "a@b.com", "--of-type", "RS")
    assert [c["type"] for c in codes.done("contact", "list", "--json").json] == ["AC"]


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--type", "RS"), "--email: Required."),
        (("--email", "a@b.com"), "--type: Required."),
        (("--email", "nobody", "--type", "RS"), "--email: This is not"),
        (("--email", "a@b.com", "--type", "ZZ"), "--type: There is no contact type ZZ."),
        (("--email", "A@B.com", "--type", "AC"), "--email: Each address"),
        (("--email", "c@b.com", "--type", "RS", "--name", "a\nb"), "--name: Control"),
    ],
)
def test_wrong_contacts_are_told_by_option(
    codes: CommandLine, kind: str, options: tuple[str, ...], told: str
) -> None:
    codes.done("contact", "add", kind, "ALP", "--email", "a@b.com", "--type", "AC")
    ended = codes("contact", "add", kind, "ALP", *options)
    assert ended.code == 2
    assert told in ended.err
    assert contacts(codes) == ["a@b.com"]


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("add", "agnt", "ALP", "--email", "a@b.com", "--type", "RS"), 2),
        (("add", "agent", "NONE", "--email", "a@b.com", "--type", "RS"), 1),
        (("edit", "agent", "NONE", "a@b.com"), 1),
        (("delete", "supplier", "NONE", "a@b.com"), 1),
        (("show", "a@b.com"), 1),
    ],
)
def test_unknown_names_fail_in_words(codes: CommandLine, words: tuple[str, ...], code: int) -> None:
    ended = codes("contact", *words)
    assert (ended.code, ended.out) == (code, "")
    assert "Value error" not in ended.err


def test_list_finds_by_any_column(codes: CommandLine) -> None:
    codes.done("contact", "load", codes.file("c.csv", GOOD))
    for text, number in (("alpine", 2), ("BOB", 1), ("kiw", 1), ("example", 3), ("nothing", 0)):
        assert len(codes.done("contact", "list", "-f", text, "--json").json) == number


# ------------------------------------------------------------------------- load


def test_loading_again_changes_nothing(codes: CommandLine) -> None:
    path = codes.file("c.csv", GOOD)
    first = codes.done("contact", "load", path, "--json").json
    assert first == {"added": 3, "updated": 0, "unchanged": 0, "removed": 0, "renamed": 0}
    again = codes.done("contact", "load", path, "--json").json
    assert again == {"added": 0, "updated": 0, "unchanged": 3, "removed": 0, "renamed": 0}


def test_loading_a_changed_file_updates(codes: CommandLine) -> None:
    codes.done("contact", "load", codes.file("c.csv", GOOD))
    ended = codes.done("contact", "load", codes.file("d.csv", GOOD.replace("Ann,", "Anna,")))
    assert ended.out == "0 added, 1 updated, 2 unchanged, 0 removed.\n"


def test_loading_tells_of_other_names(codes: CommandLine) -> None:
    codes.done("contact", "load", codes.file("c.csv", GOOD))
    ended = codes.done("contact", "load", codes.file("d.csv", GOOD.replace("Kiwi", "Moa")))
    told = "0 added, 0 updated, 3 unchanged, 0 removed. 1 agent or supplier renamed.\n"
    assert ended.out == told


def test_loading_reads_standard_input_and_a_byte_order_mark(codes: CommandLine) -> None:
    codes.done("contact", "load", "-", stdin=b"\xef\xbb\xbf" + GOOD.encode())
    assert len(contacts(codes)) == 3


@pytest.mark.parametrize(
    ("bad", "told"),
    [
        ("agnt,ALP,x,Ann,a@b.com,RS\n", "line 4: kind"),
        ("agent,TOOLONG,x,Ann,a@b.com,RS\n", "line 4: code"),
        ("agent,ALP,x,Ann,nobody,RS\n", "line 4: email"),
        ("agent,ALP,x,Ann,a@b.com,ZZ\n", "line 4: type"),
        ("agent,ALP\n", "line 4: "),
        ('agent,ALP,"x,Ann,a@b.com,RS\n', "line 4: "),
        (b"agent,ALP,x,\xff,a@b.com,RS\n", "line 4: "),
        (b"agent,ALP,x,a\x1bb,a@b.com,RS\n", "line 4: contact"),
        (b"agent,ALP,x,a\x00b,a@b.com,RS\n", "line 4: "),
    ],
    ids=repr,
)
def test_a_bad_line_is_told_by_number_and_nothing_is_loaded(
    codes: CommandLine, bad: str | bytes, told: str
) -> None:
    lines = GOOD.encode().splitlines(keepends=True)
    lines[3:] = [bad.encode() if isinstance(bad, str) else bad]
    ended = codes("contact", "load", "-", stdin=b"".join(lines))
    assert (ended.code, ended.out) == (2, "")
    assert told in ended.err
    assert contacts(codes) == []


@pytest.mark.parametrize(
    ("bad", "told"),
    [
        (b"\x7fELF\r\x01,x\n", "it holds a line end in the middle of a line, as no text does"),
        (b'agent,"ALP,x\n', 'a " is opened and never closed'),
        (b'agent,"ALP"x,x\n', 'text follows a closing "'),
        (b"x" * 200_000, "a field has more than 131,072 characters"),
    ],
)
def test_what_is_no_csv_is_told_in_our_words(codes: CommandLine, bad: bytes, told: str) -> None:
    ended = codes("contact", "load", "-", stdin=HEAD.encode() + bad)
    first = ended.err.splitlines()[0]
    assert (ended.code, first) == (2, f"line 2: This is not CSV: {told}.")


def test_every_bad_line_is_told(codes: CommandLine) -> None:
    ended = codes("contact", "load", "-", stdin=HEAD + "agent,A!,x,,,\n" + "x,ALP,y,,,\n")
    assert [line.partition(":")[0] for line in ended.err.splitlines()] == [
        *("line 2", "line 3"),
        "FILE.csv",
    ]


def test_faults_of_every_kind_are_told_at_once_in_the_order_of_the_file(
    codes: CommandLine,
) -> None:
    bad = (
        *("agent,ALP,x,Ann,a@b.com,ZZ", "agent,ALP,x,Ann,nobody,RS", "agent,ALP,x,Ann,a@b.com,RS"),
        *("agent,ALP,x,\udcff,a@b.com,RS", "agent,ALP,x,Bo,b@b.com,YY", "agent,KIW"),
    )
    content = (HEAD + "\n".join(bad)).encode(errors="surrogateescape")
    ended = codes("contact", "load", "-", stdin=content)
    assert (ended.code, ended.out) == (2, "")
    assert [line.rpartition(": ")[2] for line in ended.err.splitlines()] == [
        "There is no contact type ZZ.",
        "An email address must have an @-sign.",
        "This is not text in UTF-8.",
        "There is no contact type YY.",
        "There are not exactly 6 of them.",
        "5 lines are wrong; nothing was loaded.",
    ]
    assert contacts(codes) == []


def test_of_many_bad_lines_the_first_twenty_are_told(codes: CommandLine) -> None:
    ended = codes("contact", "load", "-", stdin=HEAD + "agent,ALP,x,Ann,nobody,RS\n" * 1000)
    *lines, last = ended.err.splitlines()
    assert [line.partition(":")[0] for line in lines] == [f"line {n}" for n in range(2, 22)]
    assert last == "FILE.csv: 1,000 lines are wrong, and 20 are told; nothing was loaded."


@pytest.mark.parametrize("content", ["", "name,email\nx,a@b.com\n"])
def test_missing_columns_are_named(codes: CommandLine, content: str) -> None:
    ended = codes("contact", "load", "-", stdin=content)
    assert ended.code == 2
    assert "line 1" in ended.err


def test_semicolons_as_some_spreadsheets_write_them_are_told(codes: CommandLine) -> None:
    ended = codes("contact", "load", "-", stdin=GOOD.replace(",", ";"))
    assert ended.code == 2
    assert "Part them by commas, not semicolons." in ended.err
    assert contacts(codes) == []


def test_lines_that_name_one_supplier_unlike_each_other_are_told(codes: CommandLine) -> None:
    lines = ["kind,code,name,contact,email,type", "supplier,S1,Old Lodge,,,", "agent,S1,Other,,,",
             "supplier,S1,Old Lodge,,,", "supplier,S1,New Lodge,,,"]  # fmt: skip
    ended = codes("contact", "load", "-", stdin="\n".join(lines))
    assert ended.code == 2
    assert "line 5: name: S1 is Old Lodge in line 2." in ended.err
    assert contacts(codes) == []


@pytest.mark.parametrize("path", ["/nowhere.csv", "/tmp"])
def test_a_file_that_cannot_be_read_is_wrong_use(codes: CommandLine, path: str) -> None:
    ended = codes("contact", "load", path)
    assert ended.code == 2
    assert ended.err.startswith(f"FILE.csv: {path} cannot be read")
