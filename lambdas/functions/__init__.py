"""What is deployed: a module with a handler for each Lambda function but the API's."""
