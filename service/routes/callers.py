"""Who asks. Callers are told apart by their addresses."""

from ipaddress import IPv6Address, IPv6Network, ip_address

from fastapi import Request

_NETWORK_BITS = 64
"""Of an IPv6 address, what a caller can't choose."""


def caller_of(request: Request) -> str:
    """A name for the caller, the same for all of its requests."""
    host = request.client.host if request.client else ""
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        return host
    if isinstance(address, IPv6Address):
        return str(address.ipv4_mapped or IPv6Network((address, _NETWORK_BITS), strict=False))
    return str(address)
