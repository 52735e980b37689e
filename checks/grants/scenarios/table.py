"""Scenarios of what users and the cloud do; together they use the grants of every role."""

import re
from collections.abc import Sequence

from checks.grants.scenarios.endpoints import make_and_remove_an_endpoint
from checks.grants.scenarios.functions import LOGGED, make_the_first_key, writing_the_log_of
from checks.grants.scenarios.imports import (
    import_a_checkpoint,
    import_a_large_file,
    import_what_is_no_checkpoint,
    import_what_is_not_there,
    import_what_was_thrown_away,
)
from checks.grants.scenarios.jobs import (
    cancel_jobs,
    draw_an_uploaded_picture,
    draw_with_a_checkpoint_nobody_had,
    draw_with_a_checkpoint_that_is_gone,
    fail_and_delete_a_job,
    retry_and_delete_a_job,
    run_a_job,
    send_params_by_storage,
)
from checks.grants.scenarios.lost_jobs import (
    count_dead_letters,
    hear_of_a_failure_without_an_object,
    lose_a_worker,
    sweep_a_job_that_was_never_sent,
    sweep_a_job_whose_endpoint_was_replaced,
    sweep_a_job_whose_message_was_lost,
    sweep_a_job_whose_worker_died,
)
from checks.grants.scenarios.people import manage_people, tell_a_webhook
from checks.grants.scenarios.uploads import (
    break_off_an_upload,
    complete_an_upload_that_is_gone,
    give_up_an_old_upload,
    inspect_what_is_gone,
    upload_a_checkpoint,
    upload_a_large_file,
)
from checks.grants.scenarios.visit import Scenario

SCENARIOS: tuple[Scenario, ...] = (
    break_off_an_upload,
    manage_people,
    *(writing_the_log_of(function) for function in ("Api", *LOGGED)),
    give_up_an_old_upload,
    make_the_first_key,
    count_dead_letters,
    run_a_job,
    upload_a_checkpoint,
    draw_an_uploaded_picture,
    fail_and_delete_a_job,
    sweep_a_job_whose_endpoint_was_replaced,
    sweep_a_job_whose_message_was_lost,
    sweep_a_job_whose_worker_died,
    sweep_a_job_that_was_never_sent,
    send_params_by_storage,
    retry_and_delete_a_job,
    tell_a_webhook,
    upload_a_large_file,
    cancel_jobs,
    lose_a_worker,
    make_and_remove_an_endpoint,
    draw_with_a_checkpoint_nobody_had,
    draw_with_a_checkpoint_that_is_gone,
    hear_of_a_failure_without_an_object,
    complete_an_upload_that_is_gone,
    inspect_what_is_gone,
    import_what_was_thrown_away,
    import_a_checkpoint,
    import_what_is_no_checkpoint,
    import_what_is_not_there,
    import_a_large_file,
)
"""Quick ones first: a grant is tried with the first one that needs it, unless `NOTICED_BY` names another."""


LOG_SCENARIOS = frozenset(f"write_the_log_of_{function}" for function in ("Api", *LOGGED))
NOTICED_BY: tuple[tuple[str, str], ...] = (
    *((rf"{function} logs:.*", f"write_the_log_of_{function}") for function in ("Api", *LOGGED)),
    (r"Container s3:GetObject .*AssetsBucket.*", "draw_with_a_checkpoint_nobody_had"),
    (r"EndpointKeeper dynamodb:(GetItem|UpdateItem) .*", "make_and_remove_an_endpoint"),
    (r"AssetImport s3:AbortMultipartUpload .*", "import_what_is_not_there"),
    (r"AssetImport s3:DeleteObject .*", "import_what_is_no_checkpoint"),
)
"""Pattern of `role action resource` → the scenario that fails without it; others use it but ignore a refusal."""


def scenario_for(subject: str, needing: Sequence[str]) -> str | None:
    """The scenario to try a grant (`role action resource`) with, out of those that use it."""
    for pattern, name in NOTICED_BY:
        if re.fullmatch(pattern, subject) and name in needing:
            return name
    names = [one.__name__ for one in SCENARIOS if one.__name__ in needing]
    # Those that only wait for a line in a log see no other refusal.
    return next(iter(sorted(names, key=lambda name: name in LOG_SCENARIOS)), None)
