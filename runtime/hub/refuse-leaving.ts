// Filter: who comes after the hub began to leave is refused at once, with an answer that a client tries again elsewhere.

import type { Filter } from "./handler-chain.ts";
import { isHealthPath } from "./health-paths.ts";
import { RequestError } from "./respond.ts";

const RETRY_AFTER_SECONDS = 1;

/** The listener stays until the last request is over: a refused connection would reach clients of the parent as text without a Status. */
export function createRefuseLeaving(isLeaving: () => boolean): Filter {
  return ({ info, channel }) => {
    if (!isLeaving() || isHealthPath(info)) return undefined;
    if (channel.type === "response") channel.response.shouldKeepAlive = false;
    throw new RequestError("ServiceUnavailable", {
      message: "The hub is shutting down; try again, another replica or its successor answers",
      retryAfterSeconds: RETRY_AFTER_SECONDS,
    });
  };
}
