"""SageMaker's asynchronous inference on one machine: resources, queue and the real container as a subprocess."""
