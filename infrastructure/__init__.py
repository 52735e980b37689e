"""The CDK app: one stack composed of constructs; the only folder that imports `aws_cdk`."""
