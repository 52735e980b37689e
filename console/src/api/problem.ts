/** Errors of the API, of the network and of everything else: the client's. */
export { type FieldProblem, type Problem, type ProblemCode, ProblemError, unwrap } from "@generate-on-cloud/client";
