from datetime import UTC, datetime
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import SMTPUTF8, default

import pytest

from services.demo.answer import compose_answer

NOW = datetime(2026, 3, 1, 9, 30, tzinfo=UTC)
MAIL = {
    "From": "Ana Ortiz <ana@operator.example>",
    "To": "Hemi Coaches <hemi@supplier.example>, Kea Lodge <kea@lodge.example>",
    "Subject": "Transfer 4 May [#NZ-104-k3v9]",
    "Message-ID": "<one@operator.example>",
}


def written(**headers: str | None) -> bytes:
    mail = EmailMessage(policy=SMTPUTF8)
    for name, value in {**MAIL, **{k.replace("_", "-"): v for k, v in headers.items()}}.items():
        if value is not None:
            mail[name] = value
    mail.set_content("Can you fetch four guests in Łódź?\n", cte="8bit")
    return mail.as_bytes()


def answered(raw: bytes, recipient: str = "hemi@supplier.example") -> tuple[str, EmailMessage]:
    answer = compose_answer(raw, recipient, now=NOW, message_id="<two@supplier.example>")
    assert answer is not None
    return answer[0], message_from_bytes(answer[1], policy=default)


def test_an_answer_is_threaded_to_the_mail() -> None:
    to, answer = answered(written(References="<zero@operator.example>"))
    assert to == "ana@operator.example"
    assert {
        name: str(answer[name]) for name in answer if not name.startswith(("Content", "MIME"))
    } == {
        "From": "Hemi Coaches <hemi@supplier.example>",
        "To": "Ana Ortiz <ana@operator.example>",
        "Subject": "Re: Transfer 4 May [#NZ-104-k3v9]",
        "Date": "Sun, 01 Mar 2026 09:30:00 +0000",
        "Message-ID": "<two@supplier.example>",
        "In-Reply-To": "<one@operator.example>",
        "References": "<zero@operator.example> <one@operator.example>",
    }
    assert "Dear Ana Ortiz," in answer.get_content()
    assert "> Can you fetch four guests in Łódź?" in answer.get_content()


def test_a_blind_copy_is_answered_without_a_name() -> None:
    assert answered(written(), "blind@guide.example")[1]["From"] == "blind@guide.example"


def test_an_answer_goes_to_reply_to() -> None:
    assert answered(written(Reply_To="team@operator.example"))[0] == "team@operator.example"


def test_a_subject_gets_one_re() -> None:
    assert answered(written(Subject="RE: Coach"))[1]["Subject"] == "RE: Coach"


def test_a_mail_without_message_id_is_answered_unthreaded() -> None:
    assert answered(written(Message_ID=None))[1]["In-Reply-To"] is None


def test_utf8_addresses_and_names_are_answered() -> None:
    raw = written(To="Jürgen Götz <jürgen@führer.example>", Subject="Größe")
    _, answer = answered(raw, "jürgen@führer.example")
    assert answer["From"] == "Jürgen Götz <jürgen@führer.example>"
    assert answer["Subject"] == "Re: Größe"


@pytest.mark.parametrize(
    "headers", [{"From": None}, {"From": "undisclosed"}, {"Auto_Submitted": "auto-replied"}]
)
def test_nobody_answers_a_machine_or_no_one(headers: dict[str, str | None]) -> None:
    raw = written(**headers)
    assert compose_answer(raw, "hemi@supplier.example", now=NOW, message_id="<x@y>") is None


def test_a_person_is_answered_who_says_so() -> None:
    assert answered(written(Auto_Submitted="no"))
