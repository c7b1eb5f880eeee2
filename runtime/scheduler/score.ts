// How good is each candidate? Every plugin's scores are brought to 0..100, weighted and added. Pure.

import type { ClusterScore } from "./decision.ts";
import type { Candidate, CandidatesInput } from "./plugin.ts";
import type { PluginAt, Profile } from "./profile.ts";

const SCORE_MAX = 100;

export interface Scored {
  /** As given, with their scores. */
  readonly candidates: readonly Candidate[];
  /** Best first, ties by key; undefined: nobody scores. */
  readonly scores?: readonly ClusterScore[];
}

export function scoreCandidates({ plugins, scoreWeights }: Profile, input: CandidatesInput): Scored {
  const { candidates } = input;
  if (plugins.score.length === 0) return { candidates };
  const prepared = new Map(plugins.preScore.map((plugin) => [plugin.name, plugin.preScore(input)]));
  const columns = plugins.score.map((plugin) => {
    const { name } = plugin;
    return { name, weight: scoreWeights[name] ?? 1, scores: scoresBy(plugin, { input, prepared: prepared.get(name) }) };
  });
  const scored = candidates.map((candidate): ClusterScore => {
    const { key } = candidate.cluster;
    const entries = columns.map(({ name, weight, scores }) => [name, weight * (scores.get(key) ?? 0)] as const);
    return { cluster: key, total: entries.reduce((sum, [, score]) => sum + score, 0), byPlugin: Object.fromEntries(entries) };
  });
  return {
    candidates: candidates.map((candidate, index) => ({ ...candidate, score: scored[index]?.total ?? 0 })),
    scores: scored.toSorted(bestFirst),
  };
}

interface ScoresOptions {
  readonly input: CandidatesInput;
  readonly prepared: unknown;
}

function scoresBy(plugin: PluginAt<"score">, { input, prepared }: ScoresOptions): ReadonlyMap<string, number> {
  const { candidates, ...subscriptionInput } = input;
  const raw = new Map(
    candidates.map(({ cluster, subscribers }) => [
      cluster.key,
      plugin.score({ ...subscriptionInput, cluster, subscribers, prepared }),
    ]),
  );
  const normalised = plugin.normalise?.({ ...subscriptionInput, scores: raw }) ?? raw;
  return new Map([...normalised].map(([key, score]) => [key, clamp(score)]));
}

/** Brings counts of something bad to 0..100: none is 100, the most of all is 0. */
export function fewerIsBetter(counts: ReadonlyMap<string, number>): ReadonlyMap<string, number> {
  const most = [...counts.values()].reduce((a, b) => Math.max(a, b), 1);
  return new Map([...counts].map(([key, count]) => [key, SCORE_MAX - (SCORE_MAX * count) / most]));
}

function clamp(score: number): number {
  return Number.isNaN(score) ? 0 : Math.min(SCORE_MAX, Math.max(0, score));
}

function bestFirst(a: ClusterScore, b: ClusterScore): number {
  return b.total - a.total || (a.cluster < b.cluster ? -1 : 1);
}
