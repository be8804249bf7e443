"""Every row of the table, every combination that tells rows apart, and the reasons in words."""

from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.account import ContactSide
from models.mail import Outcome, Reason
from services.contacts.known import KnownContact
from services.importing.bounce import FailedRecipient, Report
from services.importing.headers import HeaderFacts
from services.importing.judge import is_bounce, judge
from services.importing.verdict import Background, Finding, SentMail, Verdict

RS, AC = 1, 2
OURS = "<ours@desk.test>"
SENT = SentMail(7, OURS, "bcdfghjk", "TP-100", 11, "Rooms", ("guide@x.test", "other@x.test"))
OTHER = SentMail(8, "<second@desk.test>", "zzzzyyyy", None, None, "Else", ("guide@x.test",))
BACKGROUND = Background(
    ticked=frozenset({(ContactSide.SUPPLIER, RS), (ContactSide.AGENT, AC)}),
    by_id={OURS: SENT, OTHER.message_id: OTHER},
    by_token={"bcdfghjk": SENT, "zzzzyyyy": OTHER},
    contacts={
        "guide@x.test": [KnownContact(11, "Greta", ContactSide.SUPPLIER, RS, "RS", "L1 Lodge")],
        "desk@x.test": [KnownContact(12, "", ContactSide.SUPPLIER, AC, "AC", "L1 Lodge")],
        "both@x.test": [
            KnownContact(13, "B", ContactSide.AGENT, RS, "RS", "A1 Agent"),
            KnownContact(14, "B", ContactSide.SUPPLIER, RS, "RS", "L2 Lodge"),
            KnownContact(15, "B", ContactSide.AGENT, AC, "AC", "A1 Agent"),
        ],
        "chef@xn--bcher-kva.example": [
            KnownContact(16, "Chef", ContactSide.SUPPLIER, RS, "RS", "L3 Bücher")
        ],
    },
    limit=1_000,
)
RETURNED = Report((OURS,), (), (FailedRecipient(("guide@x.test",), "failed", "550 unknown"),))


def decide(*headers: str, size: int = 100, report: Report | None = None, **more: str) -> Verdict:
    facts = HeaderFacts("\r\n".join(headers).encode())
    return judge(Finding(facts, size, report=report, **more), BACKGROUND)


# ------------------------------------------------------------------ every combination

SENDERS = {
    "ticked": "From: Greta <Guide@X.Test>",
    "unticked": "From: desk@x.test",
    "unknown": "From: stranger@else.test",
    "nobody": "X-From: nobody",
}
ANSWERS = {
    "in-reply-to": f"In-Reply-To: {OURS}",
    "references": f"References: <root@x> {OURS} <mid@x>",
    "token": "Subject: Re: Rooms [#TP-100-BCDFGHJK]",
    "wrong booking": "Subject: Re: Rooms [#TP-999-bcdfghjk]",
    "nothing": "X-Nothing: here",
}
AUTOMATIC = {
    "auto-submitted": "Auto-Submitted: auto-replied",
    "bulk": "Precedence: bulk",
    "junk": "Precedence: Junk",
    "list": "Precedence: list",
    "list-id": "List-Id: <news.else.test>",
    "auto-submitted no": "Auto-Submitted: no",
    "nothing": "X-Auto: none",
}
BOUNCES = {
    "null sender": "Return-Path: <>",
    "report": "Content-Type: multipart/report; report-type=delivery-status; boundary=e",
    "no": "Return-Path: <guide@x.test>",
}
RETURNS = {"ours": RETURNED, "not ours": Report(("<far@else.test>",))}


def expected(sender: str, answer: str, automatic: str, bounce: str, returned: str) -> Reason:
    """The table once more, in its own words."""
    known, ticked = sender in ("ticked", "unticked"), sender == "ticked"
    answers = answer in ("in-reply-to", "references", "token")
    out_of_office = bounce == "null sender" and automatic == "auto-submitted" and known
    if bounce != "no" and not out_of_office and (answers or returned == "ours"):
        return Reason.NOT_DELIVERED
    if ticked and answers:
        return Reason.REPLY
    if known and not ticked:
        return Reason.TYPE_NOT_TICKED
    if answers and not known:
        return Reason.UNKNOWN_SENDER
    if automatic not in ("nothing", "auto-submitted no"):
        return Reason.AUTOMATIC
    return Reason.ENQUIRY if ticked else Reason.UNRELATED


@pytest.mark.parametrize(("sender", "answer"), list(product(SENDERS, ANSWERS)))
def test_the_first_rule_that_fits_decides(sender: str, answer: str) -> None:
    for automatic, bounce, returned in product(AUTOMATIC, BOUNCES, RETURNS):
        verdict = decide(
            BOUNCES[bounce],
            SENDERS[sender],
            ANSWERS[answer],
            AUTOMATIC[automatic],
            report=RETURNS[returned] if bounce != "no" else None,
        )
        wanted = expected(sender, answer, automatic, bounce, returned)
        assert verdict.reason == wanted, (sender, answer, automatic, bounce, returned)
        assert verdict.outcome == OUTCOMES[wanted]
        assert verdict.why.endswith(".")


OUTCOMES = {
    Reason.NOT_DELIVERED: Outcome.ERROR,
    Reason.REPLY: Outcome.IMPORTED,
    Reason.TYPE_NOT_TICKED: Outcome.SKIPPED,
    Reason.UNKNOWN_SENDER: Outcome.ERROR,
    Reason.AUTOMATIC: Outcome.SKIPPED,
    Reason.ENQUIRY: Outcome.IMPORTED,
    Reason.UNRELATED: Outcome.SKIPPED,
}


@pytest.mark.parametrize(
    ("headers", "more", "reason", "outcome"),
    [
        ((f"Message-ID: {OURS}",), {"known_as": "Here."}, Reason.ALREADY_HERE, Outcome.KNOWN),
        ((), {"known_as": "Here.", "fault": "gone"}, Reason.ALREADY_HERE, Outcome.KNOWN),
        ((f"Message-ID: {OURS}",), {"size": 1_001}, Reason.TOO_LARGE, Outcome.ERROR),
        ((f"Message-ID: {OURS}",), {"size": 1_000}, Reason.SENT_BY_US, Outcome.SKIPPED),
        ((f"Message-ID: {OURS}",), {"fault": "NO"}, Reason.UNREADABLE, Outcome.ERROR),
        ((), {}, Reason.UNREADABLE, Outcome.ERROR),
        (("no header at all",), {}, Reason.UNREADABLE, Outcome.ERROR),
        (
            (f"Message-ID: {OURS}", "Return-Path: <>", f"In-Reply-To: {OURS}"),
            {},
            Reason.SENT_BY_US,
            Outcome.SKIPPED,
        ),
    ],
)
def test_the_rules_before_content_decide_first(
    headers: tuple[str, ...], more: dict[str, str], reason: Reason, outcome: Outcome
) -> None:
    verdict = decide(*headers, **more)  # type: ignore[arg-type]
    assert (verdict.reason, verdict.outcome) == (reason, outcome)


# ------------------------------------------------------------------ who wrote


@pytest.mark.parametrize(
    "line",
    [
        "From: GUIDE@X.TEST",
        "From: chef@BÜCHER.example",
        "From: chef@xn--bcher-kva.EXAMPLE",
        "From: stranger@else.test, guide@x.test",
        "From: both@x.test",
        '"From": nobody\r\nFrom: "stranger@else.test" <guide@x.test>',
    ],
)
def test_addresses_compare_without_case_and_in_idna_form(line: str) -> None:
    assert decide(line).reason is Reason.ENQUIRY


@pytest.mark.parametrize(
    "line",
    [
        "From: guide@x.test.evil.test",
        'From: "guide@x.test" <stranger@else.test>',
        "From: stranger@else.test\r\nReply-To: guide@x.test\r\nSender: guide@x.test",
        "From: guide@xtest",
    ],
)
def test_only_the_address_in_from_counts(line: str) -> None:
    assert decide(line).reason is Reason.UNRELATED


def test_of_several_contacts_the_ticked_one_is_linked() -> None:
    assert decide("From: both@x.test").contact_id == 14


def test_of_several_ticked_contacts_the_one_we_wrote_to_is_linked() -> None:
    ticked = frozenset({(ContactSide.AGENT, RS), (ContactSide.AGENT, AC)})
    wrote_to = SentMail(9, "<n@x>", None, None, 15, "", ())
    background = Background(ticked, {"<n@x>": wrote_to}, {}, BACKGROUND.contacts)
    facts = HeaderFacts(b"From: both@x.test\r\nIn-Reply-To: <n@x>")
    assert judge(Finding(facts, 1), background).contact_id == 15
    assert judge(Finding(HeaderFacts(b"From: both@x.test"), 1), background).contact_id == 13


def test_where_no_type_is_ticked_nothing_is_imported() -> None:
    facts = HeaderFacts(f"From: guide@x.test\r\nIn-Reply-To: {OURS}".encode())
    background = Background(by_id=BACKGROUND.by_id, contacts=BACKGROUND.contacts)
    assert judge(Finding(facts, 1), background).reason is Reason.TYPE_NOT_TICKED


# ------------------------------------------------------------------ what it answers


@pytest.mark.parametrize(
    ("headers", "answered"),
    [
        ((f"In-Reply-To: {OURS}",), SENT),
        ((f"In-Reply-To: <x@y> {OURS}",), SENT),
        ((f"References: {OURS} {OTHER.message_id}",), OTHER),
        ((f"In-Reply-To: {OURS}", f"References: {OTHER.message_id}"), SENT),
        (("In-Reply-To: <x@y>", f"References: {OTHER.message_id}"), OTHER),
        (("Subject: AW: Rooms [#TP-100-bcdfghjk]",), SENT),
        (("Subject: =?utf-8?q?R=C3=A9=3A_Rooms_=5B=23TP-100-bcdfghjk=5D?=",), SENT),
        (("Subject: Rooms [#TP-100-\r\n bcdfghjk]",), SENT),
        ((f"In-Reply-To: {OTHER.message_id}", "Subject: [#TP-100-bcdfghjk]"), OTHER),
        (("Subject: [#TP-100-zzzzyyyy]",), None),
        (("Subject: TP-100",), None),
        ((f"In-Reply-To: {OURS.upper()}",), None),
    ],
)
def test_links_to_the_message_it_answers(
    headers: tuple[str, ...], answered: SentMail | None
) -> None:
    verdict = decide("From: guide@x.test", *headers)
    assert verdict.answers == answered
    assert verdict.booking == (answered.booking if answered else None)
    assert verdict.reason is (Reason.REPLY if answered else Reason.ENQUIRY)


@pytest.mark.parametrize(
    ("line", "automatic"),
    [
        ("Auto-Submitted: auto-replied", True),
        ("Auto-Submitted: auto-generated", True),
        ("Auto-Submitted: no", False),
        ("Precedence: bulk", False),
    ],
)
def test_an_automatic_reply_is_imported_and_marked(line: str, automatic: bool) -> None:
    verdict = decide("From: guide@x.test", f"In-Reply-To: {OURS}", line)
    assert (verdict.reason, verdict.automatic) == (Reason.REPLY, automatic)


def test_an_out_of_office_note_with_a_null_sender_is_an_answer_not_a_bounce() -> None:
    verdict = decide(
        "Return-Path: <>",
        "From: guide@x.test",
        "Auto-Submitted: auto-replied",
        f"In-Reply-To: {OURS}",
        report=Report(),
    )
    assert (verdict.reason, verdict.automatic, dict(verdict.failed)) == (Reason.REPLY, True, {})


# ------------------------------------------------------------------ bounces

REPORTED = "Content-Type: multipart/report; report-type=delivery-status; boundary=e"


@pytest.mark.parametrize(
    ("headers", "report", "failed"),
    [
        ((REPORTED,), RETURNED, {"guide@x.test": "550 unknown"}),
        (("Return-Path: <>",), RETURNED, {"guide@x.test": "550 unknown"}),
        (("Return-Path: <>", f"References: {OURS}"), Report(), {}),
        (
            ("Return-Path: <>", f"In-Reply-To: {OTHER.message_id}"),
            Report(),
            {"guide@x.test": ""},
        ),
        (("Return-Path: <>",), Report((), ("Rooms [#TP-100-bcdfghjk]",)), {}),
        (("Return-Path: <>", "Subject: Failed: [#TP-100-bcdfghjk]"), Report(), {}),
        (
            ("Return-Path: <>", "X-Failed-Recipients: Other@X.test", f"References: {OURS}"),
            Report(),
            {"other@x.test": ""},
        ),
        (
            (REPORTED,),
            Report((OURS,), (), (FailedRecipient(("a@b", "GUIDE@x.test"), "failed", "5.1.1"),)),
            {"guide@x.test": "5.1.1"},
        ),
        (
            (REPORTED,),
            Report((OTHER.message_id,), (), (FailedRecipient(("moved@y",), "failed", "552"),)),
            {"guide@x.test": "552"},
        ),
        (
            (REPORTED,),
            Report((OURS,), (), (FailedRecipient(("nobody@y",), "failed", "552"),)),
            {},
        ),
        (
            (REPORTED,),
            Report((OURS,), (), (FailedRecipient(("guide@x.test",), "delayed", ""),)),
            {},
        ),
        (
            (REPORTED,),
            Report(
                (OURS,),
                (),
                (
                    FailedRecipient(("guide@x.test",), "delivered", ""),
                    FailedRecipient(("other@x.test",), "failed", "550"),
                ),
            ),
            {"other@x.test": "550"},
        ),
    ],
)
def test_a_bounce_names_who_did_not_get_it(
    headers: tuple[str, ...], report: Report, failed: dict[str, str]
) -> None:
    verdict = decide("From: MAILER-DAEMON@r.test", *headers, report=report)
    assert (verdict.outcome, verdict.reason) == (Outcome.ERROR, Reason.NOT_DELIVERED)
    assert verdict.failed == failed
    assert verdict.answers in (SENT, OTHER)


def test_only_candidates_are_fetched_whole() -> None:
    assert is_bounce(HeaderFacts(b"Return-Path: <>"))
    assert is_bounce(HeaderFacts(REPORTED.encode()))
    assert not is_bounce(HeaderFacts(b"From: MAILER-DAEMON@x.test\r\nSubject: Undelivered"))


# ------------------------------------------------------------------ why

FAIL = "Authentication-Results: mx.desk.test; dmarc=fail header.from=x.test; spf=pass"


def test_the_reason_names_rule_contact_and_what_the_server_verified() -> None:
    verdict = decide(FAIL, "From: Greta <guide@x.test>", f"In-Reply-To: {OURS}")
    assert verdict.unverified
    assert verdict.why == (
        f"In-Reply-To names {OURS}. guide@x.test is Greta of supplier L1 Lodge, type RS, which "
        "is ticked. mx.desk.test says: dmarc fail, spf pass."
    )


def test_a_good_verdict_is_shown_and_not_marked() -> None:
    verdict = decide(FAIL.replace("fail", "pass"), "From: guide@x.test")
    assert not verdict.unverified
    assert "dmarc pass" in verdict.why


@pytest.mark.parametrize(
    ("headers", "words"),
    [
        (("From: desk@x.test",), "None of its types (supplier AC) is ticked"),
        (("From: s@else.test", f"In-Reply-To: {OURS}"), "but s@else.test is no known contact"),
        (("From: s@else.test", "List-Id: News <n.x>"), "List-Id is News <n.x>"),
        (("From: s@else.test", "Precedence: bulk"), "Precedence is bulk"),
        (("Subject: x",), "and From names nobody"),
    ],
)
def test_reasons_in_words(headers: tuple[str, ...], words: str) -> None:
    assert words in decide(*headers).why


# ------------------------------------------------------------------ anything at all

_LINES = st.sampled_from(
    [*SENDERS.values(), *ANSWERS.values(), *AUTOMATIC.values(), *BOUNCES.values(), FAIL]
)


@settings(deadline=None, max_examples=400)
@given(
    st.lists(st.one_of(_LINES.map(str.encode), st.binary(max_size=60)), max_size=8),
    st.integers(0, 2_000),
    st.sampled_from([None, RETURNED, Report()]),
)
def test_any_headers_get_one_verdict(lines: list[bytes], size: int, report: Report | None) -> None:
    verdict = judge(Finding(HeaderFacts(b"\r\n".join(lines)), size, report=report), BACKGROUND)
    assert verdict.outcome in Outcome
    verdict.why.encode()
    assert "\0" not in verdict.why
