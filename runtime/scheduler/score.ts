// How good is each candidate? Every plugin's scores are brought to 0..100, weighted and added. Pure.

import { compareText } from "#std/compare-text.ts";
import type { ClusterScore } from "./decision.ts";
import type { Candidate, SubscriptionInput } from "./plugin.ts";
import type { PluginAt, Profile } from "./profile.ts";

const SCORE_MAX = 100;

export interface Scored {
  /** As given, with their scores. */
  readonly candidates: readonly Candidate[];
  /** Best first, ties by key; undefined: nobody scores. */
  readonly scores?: readonly ClusterScore[];
}

interface ScoringOptions {
  readonly profile: Profile;
  readonly input: SubscriptionInput;
}

export function scoreCandidates(candidates: readonly Candidate[], { profile, input }: ScoringOptions): Scored {
  const { plugins, scoreWeights } = profile;
  if (plugins.score.length === 0) return { candidates };
  const prepared = new Map(plugins.preScore.map((plugin) => [plugin.name, plugin.preScore({ ...input, candidates })]));
  const columns = plugins.score.map((plugin): Column => {
    const { name } = plugin;
    const scores = scoresBy(plugin, { candidates, input, prepared: prepared.get(name) });
    return { name, weight: scoreWeights[name] ?? 1, scores };
  });
  const scores = candidates.map(({ cluster }, index) => scoreOf(cluster.key, index, columns));
  const scored = candidates.map((candidate, index) => ({ ...candidate, score: scores[index]?.total ?? 0 }));
  return { candidates: scored, scores: scores.sort(bestFirst) };
}

/** What one plugin says, at the index of the candidates. */
interface Column {
  readonly name: string;
  readonly weight: number;
  readonly scores: readonly number[];
}

function scoreOf(cluster: string, index: number, columns: readonly Column[]): ClusterScore {
  const byPlugin: Record<string, number> = {};
  let total = 0;
  for (const { name, weight, scores } of columns) {
    const score = weight * (scores[index] ?? 0);
    byPlugin[name] = score;
    total += score;
  }
  return { cluster, total, byPlugin };
}

interface ScoresOptions {
  readonly candidates: readonly Candidate[];
  readonly input: SubscriptionInput;
  readonly prepared: unknown;
}

function scoresBy(plugin: PluginAt<"score">, { candidates, input, prepared }: ScoresOptions): readonly number[] {
  const raw = candidates.map(({ cluster, subscribers }) => plugin.score({ ...input, cluster, subscribers, prepared }));
  if (plugin.scale === "fewer-is-better") return fewerIsBetter(raw).map(clamp);
  if (plugin.normalise === undefined) return raw.map(clamp);
  const scores = new Map(candidates.map(({ cluster }, index) => [cluster.key, raw[index] ?? 0]));
  const normalised = plugin.normalise({ ...input, scores });
  return candidates.map(({ cluster }) => clamp(normalised.get(cluster.key) ?? 0));
}

/** Brings counts of something bad to 0..100: none is 100, the most of all is 0. */
function fewerIsBetter(counts: readonly number[]): readonly number[] {
  const most = counts.reduce((a, b) => Math.max(a, b), 1);
  return counts.map((count) => SCORE_MAX - (SCORE_MAX * count) / most);
}

function clamp(score: number): number {
  return Number.isNaN(score) ? 0 : Math.min(SCORE_MAX, Math.max(0, score));
}

function bestFirst(a: ClusterScore, b: ClusterScore): number {
  return b.total - a.total || compareText(a.cluster, b.cluster);
}
