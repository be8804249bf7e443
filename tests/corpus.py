"""A mailbox full of malformed mail: each kind once, with the name of what is wrong with it."""

CRLF = b"\r\n"


def mail(*headers: bytes, body: bytes = b"Hello\r\n") -> bytes:
    """Join header lines and a body."""
    return CRLF.join(headers) + CRLF * 2 + body


def nested(depth: int, innermost: bytes = b"Content-Type: text/plain\r\n\r\ndeep\r\n") -> bytes:
    """Return a multipart entity (headers and body) nested so many times."""
    for level in range(depth):
        edge = b"edge%d" % level
        innermost = (
            b'Content-Type: multipart/mixed; boundary="%s"\r\n\r\n--%s\r\n' % (edge, edge)
            + innermost
            + b"\r\n--%s--\r\n" % edge
        )
    return innermost


FROM = b"From: Guide <guide@supplier.test>"
TO = b"To: desk@operator.test"
ID = b"Message-ID: <%s@supplier.test>"

TORTURE: dict[str, bytes] = {
    "empty message": b"",
    "only a line end": b"\r\n",
    "headers without a body": mail(FROM, TO, b"Subject: no body", body=b""),
    "headers without a blank line": b"From: guide@supplier.test\r\nSubject: cut off",
    "a body without headers": b"\r\nJust text, no headers at all.\r\n",
    "no header lines, only garbage": bytes(range(128, 256)) * 20 + b"\r\n",
    "no From": mail(TO, b"Subject: nobody", ID % b"nofrom"),
    "empty From": mail(b"From: ", TO, b"Subject: empty from"),
    "From is no address": mail(b"From: not an address at all", TO, b"Subject: odd"),
    "From with a NUL": mail(b"From: gu\0ide@supplier.test", TO, b"Subject: n\0ul"),
    "From in raw 8-bit": mail("From: Jürgen <guide@supplier.test>".encode("latin-1"), TO),
    "From as a group": mail(b"From: Guides: guide@supplier.test;", TO, b"Subject: group"),
    "two From fields": mail(FROM, b"From: other@else.test", TO, b"Subject: two"),
    "a thousand Froms": mail(
        b"From: " + b", ".join(b"g%d@supplier.test" % n for n in range(1000)), TO
    ),
    "brackets without end in From": mail(b"From: " + b"(" * 9000 + b" guide@supplier.test", TO),
    "no Date": mail(FROM, TO, b"Subject: undated"),
    "an impossible Date": mail(FROM, TO, b"Date: Mon, 99 Foo 99999 77:88:99 +9999"),
    "no Message-ID": mail(FROM, TO, b"Subject: anonymous"),
    "Message-ID without brackets": mail(FROM, TO, b"Message-ID: bare@supplier.test"),
    "raw 8-bit subject": mail(FROM, TO, "Subject: Zürich año 日本".encode()),
    "subject in an unknown charset": mail(FROM, TO, b"Subject: =?klingon?q?tlh=E9?="),
    "subject in broken base64": mail(FROM, TO, b"Subject: =?utf-8?b?####?= =?utf-8?b?abc?="),
    "subject in a nasty codec": mail(FROM, TO, b"Subject: =?punycode?q?" + b"a-" * 900 + b"?="),
    "subject with escape sequences": mail(
        FROM, TO, b"Subject: \x1b[2J\x1b]0;owned\x07 \xe2\x80\xae txt.exe"
    ),
    "subject with encoded escapes": mail(FROM, TO, b"Subject: =?utf-8?q?=1B[31m=00=0A=0Dred?="),
    "subject with lone surrogates": mail(FROM, TO, b"Subject: =?utf-7?q?+2AA-?= \xed\xa0\x80"),
    "subject of a megabyte": mail(FROM, TO, b"Subject: " + b"x" * 1_000_000),
    "a line of a megabyte": mail(FROM, TO, b"Subject: wide", body=b"y" * 1_000_000 + CRLF),
    "ten thousand header fields": mail(
        FROM, TO, *(b"X-Filler-%d: value" % n for n in range(10_000)), b"Subject: last"
    ),
    "a header folded ten thousand times": mail(FROM, TO, b"Subject: a" + b"\r\n b" * 10_000),
    "ten thousand references": mail(
        FROM, TO, b"References: " + b"\r\n ".join(b"<%d@x.test>" % n for n in range(10_000))
    ),
    "bare line feeds": b"From: guide@supplier.test\nSubject: unix\n\nbody\n",
    "bare carriage returns": b"From: guide@supplier.test\rSubject: mac\r\rbody\r",
    "an mbox line first": b"From guide@supplier.test Mon Jan 1 00:00:00 2026\r\n" + mail(FROM, TO),
    "header lines that are none": mail(FROM, b"this is no header", b": empty name", TO),
    "a multipart without boundary": mail(FROM, TO, b"Content-Type: multipart/mixed"),
    "a multipart that never ends": mail(
        FROM, TO, b"Content-Type: multipart/mixed; boundary=z", body=b"--z\r\n\r\npart one\r\n"
    ),
    "a boundary that begins another": mail(
        FROM,
        TO,
        b"Content-Type: multipart/mixed; boundary=a",
        body=b"--a\r\nContent-Type: multipart/mixed; boundary=ab\r\n\r\n--ab\r\n\r\nx\r\n"
        b"--ab--\r\n--a--",
    ),
    "nested a hundred deep": FROM + CRLF + TO + CRLF + nested(100),
    "nested two thousand deep": FROM + CRLF + TO + CRLF + nested(2_000),
    "attached mail a hundred deep": FROM
    + CRLF
    + TO
    + CRLF
    + b"Content-Type: message/rfc822\r\n\r\n" * 100
    + b"end\r\n",
    "an unknown charset": mail(FROM, TO, b"Content-Type: text/plain; charset=klingon"),
    "a wrong charset": mail(
        FROM, TO, b"Content-Type: text/plain; charset=utf-8", body=b"\xff\xfe caf\xe9\r\n"
    ),
    "broken base64": mail(
        FROM,
        TO,
        b"Content-Type: text/plain",
        b"Content-Transfer-Encoding: base64",
        body=b"not base64 !!!\r\n=\r\n",
    ),
    "an unknown transfer encoding": mail(FROM, TO, b"Content-Transfer-Encoding: x-rot26"),
    "NULs in the body": mail(FROM, TO, b"Subject: nul", body=b"a\0b\0\0c\r\n"),
    "escapes in the body": mail(FROM, TO, b"Subject: esc", body=b"\x1b[2J\x1b[1;31mred\x07\r\n"),
    "HTML without end": mail(
        FROM, TO, b"Content-Type: text/html", body=b"<div><table><tr>" * 2_000 + b"text"
    ),
    "HTML with scripts and controls": mail(
        FROM,
        TO,
        b"Content-Type: text/html; charset=utf-8",
        body=b"<script>alert(1)</script><p>Seen &#27;[31m &#x202e; &#0; text</p>",
    ),
    "an attachment with a hostile name": mail(
        FROM,
        TO,
        b'Content-Type: application/pdf; name="../../etc/passwd\0.pdf"',
        b"Content-Disposition: attachment; filename*=utf-8''..%2F..%1B%00%2Fx",
    ),
    "a broken parameter": mail(FROM, TO, b"Content-Type: text/plain; charset*0*=utf-8'; name*=x"),
    "a delivery report without parts": mail(
        FROM, TO, b"Return-Path: <>", b"Content-Type: multipart/report; report-type=delivery-status"
    ),
    "a delivery report full of nonsense": mail(
        b"From: MAILER-DAEMON@x.test",
        b"Return-Path: <>",
        b"Content-Type: multipart/report; report-type=delivery-status; boundary=r",
        body=b"--r\r\nContent-Type: message/delivery-status\r\n\r\nFinal-Recipient: \xff\0\r\n\r\n"
        b"Action: maybe\r\n\r\n--r\r\nContent-Type: message/rfc822\r\n\r\n--r--\r\n",
    ),
    "nonsense from the receiving server": mail(
        b"Authentication-Results: ((((; dmarc=; spf dkim=pass=fail; \"", FROM, TO
    ),
}  # fmt: skip
