"""Official signatures, over HTTP and with the clock standing still; and what becomes of them when they are touched."""

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import httpx
import pytest

from tests.signed_vectors import VECTORS, Vector
from tests.webhook_sources import PATH, receiving, source

pytestmark = pytest.mark.asyncio

Fields = list[tuple[bytes, bytes]]

ALL = pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector.name)
# junk beside the signature may be touched
WITHOUT_JUNK = pytest.mark.parametrize(
    "vector", [vector for vector in VECTORS if "among others" not in vector.name], ids=lambda vector: vector.name
)
TIMED = pytest.mark.parametrize(
    "vector", [vector for vector in VECTORS if vector.is_timed], ids=lambda vector: vector.name
)


def _fields(vector: Vector) -> Fields:
    return [(name.encode(), value.encode()) for name, value in vector.headers.items()]


async def _answer(
    vector: Vector,
    *,
    body: bytes | None = None,
    fields: Fields | None = None,
    secret: str | None = None,
    late_seconds: float = 0,
) -> httpx.Response:
    settings: dict[str, Any] = {"minimum_secret_bytes": 1, **vector.settings}
    if secret is not None:
        settings["secrets"] = [secret]
    else:
        settings["secrets"] = [vector.secret]
    now = vector.now + timedelta(seconds=late_seconds)
    async with receiving(source(vector.provider, **{"topics": (), **settings}), now=now) as receiver:
        response = await receiver.client.post(
            f"{PATH}?{vector.query}" if vector.query else PATH,
            content=vector.body if body is None else body,
            headers=_fields(vector) if fields is None else fields,
        )
        assert bool(receiver.jobs) is response.is_success
    return response


@pytest.mark.webhook_case(92, 93, 94, 95)
@ALL
async def test_an_official_signature_is_believed(vector: Vector) -> None:
    response = await _answer(vector)

    assert response.is_success, response.text


def _changed_bodies(body: bytes) -> Iterator[bytes]:
    yield body + b" "
    yield body[:-1]
    yield b""
    yield b"\xe9" + body[1:]
    yield b"\xff\xfe" + body
    yield body[:5] + "\u00e9".encode() + body[5:]
    try:
        again = json.dumps(json.loads(body), indent=1).encode()
    except ValueError:
        return
    if again != body:
        yield again


@pytest.mark.webhook_case(92, 93, 94, 95)
@ALL
async def test_a_body_that_was_touched_is_not_believed(vector: Vector) -> None:
    for body in _changed_bodies(vector.body):
        response = await _answer(vector, body=body)

        assert response.status_code == 401, body


def _signed_names(vector: Vector) -> list[bytes]:
    return [name.encode() for name in vector.headers if name != "content-type"]


def _with(fields: Fields, name: bytes, *values: bytes) -> Fields:
    return [field for field in fields if field[0] != name] + [(name, value) for value in values]


def _changed_fields(vector: Vector) -> Iterator[Fields]:
    fields = _fields(vector)
    for name in _signed_names(vector):
        value = dict(fields)[name]
        for values in (
            (),
            (b"",),
            (value, value),
            (b"x", value),
            (value[:-2],),
            (value + b"x",),
            (b"x" + value,),
            (value + b"\xe9",),
            (value.replace(b"=", b"\xff", 1) if b"=" in value else b"\xff" + value,),
            (b"a" * 3_000,),
        ):
            yield _with(fields, name, *values)


@pytest.mark.webhook_case(92, 93, 94, 95)
@WITHOUT_JUNK
async def test_a_header_that_was_touched_is_not_believed(vector: Vector) -> None:
    for fields in _changed_fields(vector):
        response = await _answer(vector, fields=fields)

        assert response.status_code == 401, fields


@ALL
async def test_another_secret_believes_nothing(vector: Vector) -> None:
    others = {
        "standard_webhooks": "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "svix": "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "openai": "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "sendgrid": (
            "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEqTxd43gyp8IOEto2LdIfjRQrIbsd4SXZkLW6jDutdhXSJCWHw8REntlo7aNDthvj"
            "+y7GjUuFDb/R1NGe1OPzpA=="
        ),
    }

    response = await _answer(vector, secret=others.get(vector.provider, "another-secret-of-32-characters!"))

    assert response.status_code == 401


@TIMED
@pytest.mark.parametrize("late_seconds", [-300, 300])
async def test_five_minutes_are_not_too_much(vector: Vector, late_seconds: int) -> None:
    response = await _answer(vector, late_seconds=late_seconds)

    assert response.is_success


@pytest.mark.webhook_case(128)
@TIMED
@pytest.mark.parametrize("late_seconds", [-301, 301])
async def test_a_second_more_is_too_much(vector: Vector, late_seconds: int) -> None:
    response = await _answer(vector, late_seconds=late_seconds)

    assert response.status_code == 401


async def test_another_url_is_not_believed() -> None:
    for vector in VECTORS:
        if "public_url" not in vector.settings:
            continue
        for changed in ("https://evil.example/x", f"{vector.settings['public_url']}/"):
            moved = Vector(**{**vars(vector), "settings": {**vector.settings, "public_url": changed}})
            assert (await _answer(moved)).status_code == 401, vector.name


@pytest.mark.webhook_case(113)
async def test_the_signed_url_is_never_made_from_the_request() -> None:
    vector = next(vector for vector in VECTORS if vector.name == "twilio form")
    fields = [*_fields(vector), (b"host", b"evil.example"), (b"x-forwarded-host", b"evil.example")]

    assert (await _answer(vector, fields=fields)).is_success
