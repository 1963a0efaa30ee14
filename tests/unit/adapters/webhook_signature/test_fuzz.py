"""Whatever a stranger writes into the headers that prove who it is."""

import asyncio
import re

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from portico.adapters.http.sources.providers import PROVIDERS
from portico.testing import SignedDelivery
from tests.webhook_sources import PROVIDER_NAMES, Receiver, proof_headers, receiving, signed, source

FUZZED = [
    (provider, name)
    for provider in PROVIDER_NAMES
    for name in {*proof_headers(provider, signed(provider)), *PROVIDERS[provider].delivery_id_headers}
    if name in signed(provider).headers
]


@pytest.mark.webhook_case(96)
@pytest.mark.parametrize(("provider", "name"), sorted(FUZZED))
def test_whatever_stands_in_a_header_is_an_answer_and_never_a_failure(provider: str, name: str) -> None:
    delivery = signed(provider)
    right = delivery.headers[name].encode()
    pieces = st.sampled_from(
        [right, right[:10], b"t=", b"v1=", b"v1,", b"=", b",", b";", b" ", b"sha256=", b"0", b"-1"]
    )
    is_signed = name in proof_headers(provider, delivery)

    @settings(max_examples=25, deadline=None)
    @given(
        value=st.binary(max_size=200)
        | st.lists(pieces, max_size=6).map(b"".join)
        | st.integers().map(lambda number: str(number).encode())
        | st.integers(100, 20_000).map(lambda length: b"A" * length)
    )
    def check(value: bytes) -> None:
        response = runner.run(_receive_fuzzed(receiver, delivery, name, value))
        allowed = {401, 431}
        if not is_signed or _means_the_same(name, value, right):
            allowed |= {200, 202, 204}
        assert response.status_code in allowed, (value, response.text)

    with asyncio.Runner() as runner:
        context = receiving(source(provider))
        receiver = runner.run(context.__aenter__())
        check()
        runner.run(context.__aexit__(None, None, None))


def _means_the_same(name: str, value: bytes, right: bytes) -> bool:
    # a list may hold anything beside the signature; a token's scheme is case-insensitive; hexadecimal is too
    return right in value or value.lower() == right.lower() or re.sub(rb"\s", b"", value) == right


async def _receive_fuzzed(receiver: Receiver, delivery: SignedDelivery, name: str, value: bytes) -> httpx.Response:
    headers = [(key.encode(), text.encode()) for key, text in delivery.headers.items() if key != name]
    return await receiver.receive(delivery, headers=[*headers, (name.encode(), value)])
