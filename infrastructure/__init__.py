"""The CDK app: stacks composed of constructs; the only folder that imports `aws_cdk`."""
