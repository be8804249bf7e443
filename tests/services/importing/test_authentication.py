"""Whom Authentication-Results are believed."""

import pytest

from services.importing.authentication import Authentication, authentication

AR = "authentication-results"
OWN = ("received", "from relay.test by mx.desk.test with ESMTPS id 1; Mon, 2 Mar 2026 10:00 +0000")
PASSED = "mx.desk.test; dmarc=pass header.from=x.test; spf=pass; dkim=pass"
FAILED = "mx.desk.test; dmarc=fail (p=reject) header.from=x.test; spf=softfail; dkim=none"


def test_on_top_all_verdicts_are_believed() -> None:
    found = authentication([(AR, PASSED), OWN])
    assert found == Authentication("mx.desk.test", {"dmarc": "pass", "spf": "pass", "dkim": "pass"})
    assert not found.failed
    assert str(found) == "mx.desk.test says: dmarc pass, spf pass, dkim pass."


def test_a_failed_check_is_told() -> None:
    found = authentication([("return-path", "<a@x>"), (AR, FAILED), OWN])
    assert found is not None
    assert found.failed
    assert found.verdicts == {"dmarc": "fail", "spf": "softfail", "dkim": "none"}


def test_only_the_topmost_counts() -> None:
    assert authentication([(AR, PASSED), (AR, FAILED), OWN]) == authentication([(AR, PASSED), OWN])


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param([OWN, (AR, PASSED)], id="a pass that the sender may have written himself"),
        pytest.param([OWN, (AR, FAILED.replace("mx.desk", "mx.far"))], id="another server's"),
        pytest.param([("received", "nonsense"), (AR, FAILED)], id="nobody's"),
        pytest.param([(AR, "mx.desk.test; none")], id="no verdict"),
        pytest.param([(AR, "")], id="empty"),
        pytest.param([OWN], id="none at all"),
    ],
)
def test_what_proves_nothing_is_not_shown(fields: list[tuple[str, str]]) -> None:
    assert authentication(fields) is None


def test_below_its_own_received_line_a_server_is_believed_a_failure() -> None:
    found = authentication([OWN, (AR, FAILED)])
    assert found == Authentication("mx.desk.test", {"dmarc": "fail"})


@pytest.mark.parametrize(
    ("value", "verdicts"),
    [
        ("mx; spf=pass smtp.mailfrom=dmarc=fail@x.test", {"spf": "pass"}),
        ("mx; dkim=fail; dkim=pass", {"dkim": "pass"}),
        ('mx; spf=pass reason="; dmarc=fail"', {"spf": "pass"}),
        ("mx (spf=fail; dmarc=fail); SPF = Pass", {"spf": "pass"}),
        ("spf=pass (sender IP is 1.2.3.4); dkim=none; dmarc=pass", {"dmarc": "pass", "spf": "pass",
                                                                    "dkim": "none"}),
        ("mx 1; dmarc/1=fail", {"dmarc": "fail"}),
        ("mx; spf=pass ((((", {"spf": "pass"}),
    ],
)  # fmt: skip
def test_reads_verdicts_and_nothing_that_looks_like_them(
    value: str, verdicts: dict[str, str]
) -> None:
    found = authentication([(AR, value)])
    assert found is not None
    assert found.verdicts == verdicts
