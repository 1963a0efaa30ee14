"""Authentication as OpenAPI describes it."""

from fastapi.openapi.models import APIKey, APIKeyIn, HTTPBase
from fastapi.openapi.models import SecurityBase as SecurityModel
from fastapi.security.base import SecurityBase


class DescribedSecurity(SecurityBase):
    """A dependency that only describes: the endpoint itself asks who calls, once its body is read."""

    def __init__(self, scheme_name: str, model: SecurityModel) -> None:
        self.scheme_name = scheme_name
        self.model = model

    async def __call__(self) -> None:
        """Ask nothing."""


def http_scheme(scheme: str) -> DescribedSecurity:
    """Describe an Authorization header of this scheme."""
    return DescribedSecurity(scheme, HTTPBase(scheme=scheme))


def header_scheme(scheme_name: str, header: str) -> DescribedSecurity:
    """Describe a header of its own."""
    return DescribedSecurity(scheme_name, APIKey.model_validate({"in": APIKeyIn.header, "name": header}))
