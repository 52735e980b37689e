"""Findings of cdk-nag's AwsSolutions rules that we accept, each with its reason next to the construct it is about."""

from aws_cdk import Acknowledgment, Validations
from constructs import IConstruct


def acknowledge(construct: IConstruct, rule: str, reason: str) -> None:
    """Accept one finding for a construct and everything below it.

    Args:
        construct: where the finding occurs.
        rule: without the pack's name; granular rules include the finding, e.g. `IAM5[Resource::*]`.
        reason: one line for the auditor.
    """
    acknowledgment = Acknowledgment(id=f"AwsSolutions::AwsSolutions-{rule}", reason=reason)
    Validations.of(construct).acknowledge(acknowledgment)
