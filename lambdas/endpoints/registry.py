"""This stage's endpoints: those created through the API, which have rows, and the template's, which has none."""

from dataclasses import dataclass

from lambdas.endpoints.record import EndpointStore


@dataclass(frozen=True)
class EndpointRegistry:
    store: EndpointStore
    prefix: str
    """Prefix of the names of all this stage's endpoints."""
    default: str
    """The template's."""

    def full_name(self, name: str) -> str:
        """SageMaker's name, whether or not `name` has the prefix."""
        return name if name == self.default or name.startswith(self.prefix) else f"{self.prefix}{name}"
