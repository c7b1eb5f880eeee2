// spec.failover with its defaults. Pure.

import type { Failover } from "#api/apps/v1alpha1/failover.ts";
import type { Subscription } from "#api/apps/v1alpha1/subscription.ts";

export type FailoverSettings = Required<Failover>;

const DEFAULTS: FailoverSettings = {
  enabled: false,
  tolerationSeconds: 300,
  eviction: "Graceful",
  gracefulTimeoutSeconds: 600,
  withoutReplacement: "Keep",
  afterRecovery: "Stay",
};

export function failoverOf({ spec }: Subscription): FailoverSettings {
  return { ...DEFAULTS, ...spec.failover };
}
