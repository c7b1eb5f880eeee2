// Which clusters a Subscription may use when maxClusters says how many. Pure.

import type { Candidate } from "#scheduler/plugin.ts";
import { compareText } from "#std/compare-text.ts";
import { inOrder } from "#std/in-order.ts";

/** A candidate, and what all of the Subscription's feeds have and could have there. */
export interface Choice {
  readonly candidate: Candidate;
  readonly running: number;
  readonly room: number;
}

export interface Chosen {
  /** In the order of the candidates. */
  readonly chosen: readonly Choice[];
  readonly others: readonly Choice[];
}

/**
 * Who runs replicas is kept before others, then who is bound, so that nothing moves and nobody is let go because it is silent or full;
 * then the better score, then more room. A new cluster without room is taken last.
 */
export function chooseClusters(choices: readonly Choice[], maxClusters: number): Chosen {
  if (maxClusters >= choices.length) return { chosen: choices, others: [] };
  const best = new Set(inOrder(choices, byUse).take(Math.max(0, maxClusters)));
  return { chosen: choices.filter((one) => best.has(one)), others: choices.filter((one) => !best.has(one)) };
}

function byUse(a: Choice, b: Choice): number {
  return (
    Number(b.running > 0) - Number(a.running > 0) ||
    Number(b.candidate.wasBound) - Number(a.candidate.wasBound) ||
    Number(b.room > 0) - Number(a.room > 0) ||
    b.candidate.score - a.candidate.score ||
    b.room - a.room ||
    compareText(a.candidate.cluster.key, b.candidate.cluster.key)
  );
}
