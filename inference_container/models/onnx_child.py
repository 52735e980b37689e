"""Runs an ONNX network in a process of little time and memory: `python -m …models.onnx_child FILE SECONDS BYTES`.

The seconds are of a processor. Standard input has an array of pictures (numpy's .npy), each of which the network sees
by itself; standard output then has the outputs in their order (.npz). Exits with REFUSED, and the reason on standard
error, if the network cannot be run.
"""

import io
import resource
import sys

import numpy as np

REFUSED = 3
THREADS = 4
MOST_ANSWERED = 2**28
"""Bytes of all outputs."""


def main(path: str, cpu_seconds: int, memory_bytes: int) -> int:
    import onnxruntime  # not for the program that starts this one, which reads REFUSED

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_seconds, cpu_seconds))
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    pictures = np.load(io.BytesIO(sys.stdin.buffer.read()), allow_pickle=False)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = THREADS
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        name = session.get_inputs()[0].name
        answers = [session.run(None, {name: one[None]}) for one in pictures]
    except Exception as error:  # noqa: BLE001 - whatever the runtime raises is the file's fault
        sys.stderr.write(str(error).split("\n", 1)[0][:300])
        return REFUSED
    outputs = [np.concatenate(output) for output in zip(*answers, strict=True)]
    if sum(output.nbytes for output in outputs) > MOST_ANSWERED:
        sys.stderr.write(f"its outputs have more than {MOST_ANSWERED} bytes")
        return REFUSED
    np.savez(sys.stdout.buffer, *outputs)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
