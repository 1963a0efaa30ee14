"""Which client a request comes from."""

from collections.abc import Collection, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from fastapi import Request

from portico.exceptions import ConfigurationError

Network = IPv4Network | IPv6Network
_Address = IPv4Address | IPv6Address
_MAX_HOPS = 20
_MAX_LENGTH = 2_048


class Clients:
    """Tells clients apart by their address; what proxies say counts only when they are trusted.

    Args:
        trusted_proxies: addresses and networks.
        ipv6_prefix: so many bits of an IPv6 address are one client: a subscriber has at least all addresses below.

    """

    def __init__(self, trusted_proxies: Collection[str], ipv6_prefix: int) -> None:
        self._trusted = parse_networks(trusted_proxies, "trusted_proxies")
        self._ipv6_prefix = ipv6_prefix

    def key_of(self, request: Request) -> str:
        """Return one text for each client."""
        address = self._address_of(request)
        if address is None:
            return "local"
        if isinstance(address, IPv4Address):
            return str(address)
        return str(IPv6Network((int(address), self._ipv6_prefix), strict=False))

    def is_in(self, request: Request, networks: Sequence[Network]) -> bool:
        """Tell whether the client has one of these addresses."""
        address = self._address_of(request)
        return address is not None and any(address in network for network in networks)

    def _address_of(self, request: Request) -> _Address | None:
        """Return the client's address; None behind a socket file, or in a test."""
        peer = _address(request.client.host) if request.client else None
        return self._behind(request, peer) if peer is not None and self._is_trusted(peer) else peer

    def _behind(self, request: Request, peer: _Address) -> _Address:
        """Return the last address that no trusted proxy has; the peer's, when the chain cannot be read."""
        chain = ",".join(request.headers.getlist("x-forwarded-for"))
        hops = chain.split(",")
        if not chain or len(chain) > _MAX_LENGTH or len(hops) > _MAX_HOPS:
            return peer
        found = peer
        for hop in reversed(hops):
            address = _address(hop.strip())
            if address is None:
                return peer
            found = address
            if not self._is_trusted(address):
                break
        return found

    def _is_trusted(self, address: _Address) -> bool:
        return any(address in network for network in self._trusted)


def parse_networks(texts: Collection[str], setting: str) -> Sequence[Network]:
    """Return addresses and networks.

    Raises:
        ConfigurationError: one is neither; names `setting`.

    """
    if isinstance(texts, str):
        raise ConfigurationError(f"{setting} must be a list of addresses and networks, not {texts!r}")
    return [_network(text, setting) for text in texts]


def _network(text: str, setting: str) -> Network:
    try:
        return ip_network(text, strict=False)
    except ValueError as error:
        raise ConfigurationError(f"{setting}: {text!r} is no address and no network", cause=error) from error


def _address(text: str) -> _Address | None:
    if text.startswith("["):
        text, bracket, _ = text[1:].partition("]")
        if not bracket:
            return None
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    if "%" in text:
        return None
    try:
        address = ip_address(text)
    except ValueError:
        return None
    # ::ffff:1.2.3.4 is 1.2.3.4, however it is written
    return address.ipv4_mapped or address if isinstance(address, IPv6Address) else address
