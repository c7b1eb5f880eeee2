// spec.rebalance with its defaults. Pure.

import type { Rebalance } from "#api/apps/v1alpha1/rebalance.ts";
import type { Subscription } from "#api/apps/v1alpha1/subscription.ts";

export type RebalanceSettings = Required<Rebalance>;

const DEFAULTS: RebalanceSettings = {
  policy: "Never",
  intervalSeconds: 3_600,
  minMovePercent: 10,
  maxMovePercent: 25,
  shownForSeconds: 3_600,
  stepTimeoutSeconds: 600,
};

export function rebalanceOf({ spec }: Subscription): RebalanceSettings {
  return { ...DEFAULTS, ...spec.rebalance };
}
