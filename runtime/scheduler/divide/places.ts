// A cluster as one feed sees it when replicas are placed by capacity. Pure.

import { compareText } from "#std/compare-text.ts";

export interface Place {
  readonly key: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly score: number;
  /** Replicas that it has. */
  readonly now: number;
  /** How many more it may get; 0 also when nobody knows. */
  readonly room: number;
  /** Nobody takes it below. */
  readonly floor: number;
  /** It fits and has said what it could take. */
  readonly isKnown: boolean;
}

export interface Constraint {
  readonly maxSkew: number;
  readonly topologyKey: string;
  /** DoNotSchedule. */
  readonly isHard: boolean;
  readonly minDomains?: number;
}

export interface Placing {
  readonly strategy: "Spread" | "Binpack";
  readonly constraints: readonly Constraint[];
}

/** Best first: the score, then who has most already, then who has most room, then by key. */
export function byRank(a: Place, b: Place): number {
  return b.score - a.score || b.now - a.now || b.room - a.room || compareText(a.key, b.key);
}
