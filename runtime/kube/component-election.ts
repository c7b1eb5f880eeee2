// The leader lock of a component, as the flags that all components share describe it.

import { randomUUID } from "node:crypto";
import { hostname } from "node:os";
import type { Clock } from "#std/clock.ts";
import type { Logger } from "#std/log.ts";
import type { Client } from "./client.ts";
import { createLeaderElection, type LeaderElection } from "./leader-election.ts";

/** The `--leader-elect…` flags, parsed. */
export interface ElectionFlags {
  readonly leaderElect: boolean;
  readonly leaderElectResourceName: string;
  readonly leaderElectResourceNamespace: string;
  readonly leaderElectLeaseDuration: number;
  readonly leaderElectRenewDeadline: number;
  readonly leaderElectRetryPeriod: number;
}

export interface ElectionDeps {
  readonly client: Client;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Undefined with `--leader-elect=false`: this process leads at once. */
export function componentElection(flags: ElectionFlags, deps: ElectionDeps): LeaderElection | undefined {
  if (!flags.leaderElect) return undefined;
  return createLeaderElection({
    ...deps,
    lease: { namespace: flags.leaderElectResourceNamespace, name: flags.leaderElectResourceName },
    identity: `${hostname()}_${randomUUID()}`,
    leaseDurationMs: flags.leaderElectLeaseDuration,
    renewDeadlineMs: flags.leaderElectRenewDeadline,
    retryPeriodMs: flags.leaderElectRetryPeriod,
  });
}
