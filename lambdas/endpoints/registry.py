"""The endpoints of this stage: those made by the API, which have rows, and the template's, which has none."""

from dataclasses import dataclass

from lambdas.endpoints.record import EndpointStore


@dataclass(frozen=True)
class EndpointRegistry:
    store: EndpointStore
    prefix: str
    """Of every endpoint of this stage."""
    default: str
    """The template's."""

    def full_name(self, name: str) -> str:
        """SageMaker's name, whether `name` has the prefix or not."""
        return name if name == self.default or name.startswith(self.prefix) else f"{self.prefix}{name}"
