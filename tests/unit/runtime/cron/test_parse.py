"""What is an expression, and what is said about text that is none."""

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from portico.exceptions import ConfigurationError
from portico.runtime.cron.next_after import next_after
from portico.runtime.cron.parse import canonical_cron, is_hashed, parse
from portico.runtime.cron.spec import CronSpec


@pytest.mark.parametrize(
    ("expression", "canonical"),
    [
        ("0  9\t* * *", "0 9 * * *"),
        (" 0 9 * jan mon-fri ", "0 9 * JAN MON-FRI"),
        ("0 9 ? * ?", "0 9 * * *"),
        ("@daily", "0 0 * * *"),
        ("@Midnight", "0 0 * * *"),
        ("@annually", "0 0 1 1 *"),
        ("h h(1-5) * * *", "H H(1-5) * * *"),
    ],
)
def test_an_expression_has_one_spelling(expression: str, canonical: str) -> None:
    assert canonical_cron(expression) == canonical


@pytest.mark.parametrize(
    ("expression", "facts"),
    [
        ("60 * * * *", ["minute", "'60'", "0-59"]),
        ("0 1,25 * * *", ["hour", "'25'", "0-23"]),
        ("0 0 32 * *", ["day of month", "'32'", "1-31"]),
        ("0 0 0 * *", ["day of month", "'0'"]),
        ("0 0 * 13 *", ["month", "'13'", "1-12"]),
        ("0 0 * * 8", ["day of week", "'8'", "0-7"]),
        ("0 0 * * monday", ["day of week", "'monday'", "MON?"]),
        ("61 * * * * *", ["second", "'61'"]),
        ("1,,2 * * * *", ["minute", "''"]),
        ("50-10 * * * *", ["minute", "'50-10'"]),
        ("*/0 * * * *", ["minute", "'*/0'"]),
        ("5* * * * *", ["minute", "'5*'", "*/5"]),
        ("-5 * * * *", ["minute", "'-5'"]),
        ("* * * *", ["4 fields", "minute"]),
        ("* * * * * * 2030", ["7 fields", "year"]),
        ("0 0 30 2 *", ["never", "'30'", "'2'"]),
        ("0 0 31 4,6 *", ["never", "'31'", "'4,6'"]),
        ("0 0 */31 2 1#5", ["never", "'1#5'"]),
        ("@reboot", ["@reboot", "start"]),
        ("@often", ["@often", "@daily", "@hourly"]),
        ("@every 5m", ["every="]),
        ("0 0 * * FRI-MON", ["day of week", "'FRI-MON'", "FRI-SAT,SUN-MON"]),
        ("0 0 * NOV-FEB *", ["month", "NOV-DEC,JAN-FEB"]),
        ("0 0 * * fri-sun", ["'fri-sun'", "FRI-SAT,SUN"]),
        ("50-10/5 * * * *", ["minute", "'50-10/5'"]),
        ("0 0 1 1 * 2030", ["day of week", "'2030'", "start_at"]),
        ("0 0 L-3 * *", ["day of month", "'L-3'"]),
        ("0 0 * * L", ["day of week", "'L'", "5L"]),
        ("0 0 * * 5#6", ["day of week", "'5#6'"]),
        ("0 0 40W * *", ["day of month", "'40W'"]),
        ("0 0 * * 8L", ["day of week", "'8L'"]),
        ("? * * * *", ["minute", "'?'"]),
        ("H(5-3) * * * *", ["minute", "H(3-5)"]),
        ("H(50-70) * * * *", ["minute", "'H(50-70)'"]),
        ("1-2-3 * * * *", ["minute", "'1-2-3'"]),
        ("1.5 * * * *", ["minute", "'1.5'"]),
        ("*/5/2 * * * *", ["minute", "'*/5/2'"]),
        ("+5 * * * *", ["minute", "'+5'"]),
        ("R R * * *", ["minute", "'R'"]),
        ("0 9\n* * *", ["ASCII"]),
        ("0\u00a09 * * *", ["ASCII"]),
        ("٣ * * * *", ["ASCII"]),
        ("9" * 1_001, ["1000 characters"]),
        ("", ["cron"]),
        ("   ", ["cron"]),
    ],
)
def test_a_refusal_names_expression_field_and_item(expression: str, facts: list[str]) -> None:
    with pytest.raises(ConfigurationError) as refusal:
        canonical_cron(expression)

    message = str(refusal.value)
    assert "cron" in message
    assert [fact for fact in facts if fact not in message] == []


@settings(max_examples=300)
@given(st.text(alphabet="0123456789*/,-LW#SUNMOH @?()\t\u00e9", max_size=30))
def test_any_text_is_an_expression_or_is_refused_clearly(text: str) -> None:
    try:
        canonical = canonical_cron(text)
    except ConfigurationError:
        return
    assert canonical_cron(canonical) == canonical
    assert next_after(parse(canonical), UTC, datetime(2030, 1, 1, tzinfo=UTC)) is not None


# ---------------------------------------------------------------------------------------------------------- H


def _bits(mask: int) -> list[int]:
    return [bit for bit in range(mask.bit_length()) if mask >> bit & 1]


def _spec(expression: str, key: str) -> CronSpec:
    return parse(canonical_cron(expression, key), key)


def test_a_hashed_value_is_decided_by_the_key_and_nothing_else() -> None:
    first, again, other = (_spec("H H * * *", key) for key in ("one", "one", "two"))

    assert first == again
    assert first != other
    assert len(_bits(first.minutes)) == len(_bits(first.hours)) == 1


def test_hashed_values_spread_over_the_whole_field() -> None:
    specs = [_spec("H H H H H", str(number)) for number in range(2_000)]

    assert {_bits(spec.minutes)[0] for spec in specs} == set(range(60))
    assert {_bits(spec.hours)[0] for spec in specs} == set(range(24))
    assert {_bits(spec.days)[0] for spec in specs} == set(range(1, 29))
    assert {_bits(spec.months)[0] for spec in specs} == set(range(1, 13))
    assert {_bits(spec.weekdays)[0] for spec in specs} == set(range(7))


def test_a_hashed_step_begins_within_the_first_step() -> None:
    minutes = {tuple(_bits(_spec("H/15 * * * *", str(number)).minutes)) for number in range(200)}

    assert minutes == {(n, n + 15, n + 30, n + 45) for n in range(15)}


def test_a_hashed_value_stays_in_its_range() -> None:
    minutes = {tuple(_bits(_spec("H(10-12) * * * *", str(number)).minutes)) for number in range(50)}

    assert minutes == {(10,), (11,), (12,)}


def test_a_hashed_value_follows_the_wall_clock_only_beside_a_star() -> None:
    assert _spec("H * * * *", "a").follows_wall_clock
    assert not _spec("H H * * *", "a").follows_wall_clock


def test_only_an_expression_with_an_h_depends_on_the_key() -> None:
    assert is_hashed("0 H * * *")
    assert not is_hashed("0 9 * * THU")
    assert parse("0 9 * * THU", "one") is parse("0 9 * * THU", "two")


def test_a_hashed_day_that_never_comes_is_refused_for_its_key() -> None:
    outcomes = set()
    for number in range(20):
        try:
            canonical_cron("0 0 H(29-30) 2 *", str(number))
            outcomes.add("fires")
        except ConfigurationError as refusal:
            outcomes.add("never" if "never" in str(refusal) else str(refusal))

    assert outcomes == {"fires", "never"}
