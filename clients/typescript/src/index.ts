/** Typed client of Generate on Cloud's REST API. */
export { type Api, type ApiOptions, openApi, type Schemas } from "./api.ts";
export type { components, paths } from "./generated.ts";
export { finishJob, JobNotSucceededError, type NewJob, submitJob, TERMINAL, watchJob } from "./jobs.ts";
export { type FieldProblem, type Problem, type ProblemCode, ProblemError, unwrap } from "./problem.ts";
export { isGenuine, TOLERANCE_SECONDS } from "./webhooks.ts";
