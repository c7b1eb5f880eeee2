// Base + feeds + overrides -> what a Description says. Pure.
//
// A feed that cannot be rendered (missing, not granted, a patch that does not apply) keeps what was rendered last, if anything: a problem
// never removes an object from a child. Only a Base that no longer names the feed does.

import { feedKey, type Feed } from "#api/apps/v1alpha1/feed.ts";
import { canonicalHash } from "#std/canonical-json.ts";
import { parseExactJson } from "#std/exact-json.ts";
import { feedText, identityOf, namesFeed, type FeedReason, type ResolvedFeed } from "./feeds.ts";
import { isJsonObject, type JsonObject } from "./json.ts";
import { applyOverrides, problemText, type Override, type OverrideProblem } from "./overrides.ts";

/** etcd stores at most 1.5 MiB per object, and the status has to fit too. */
const DESCRIPTION_RAW_BYTES_MAX = 1024 * 1024;

/** Raised when the same input renders to something else, so that an upgrade re-renders once. */
const RENDER_VERSION = 2;

export interface RenderInput {
  readonly feeds: readonly ResolvedFeed[];
  /** Those that apply to this cluster, in order (orderOverrides). */
  readonly overrides: readonly Override[];
  /** `spec.raw` of the Description that exists. */
  readonly previous: readonly string[];
  /** Name of the ManagedCluster, for messages. */
  readonly cluster: string;
}

export type RenderReason = FeedReason | "OverrideFailed" | "TooLarge";

export interface RenderProblem {
  readonly feed: Feed;
  readonly reason: RenderReason;
  readonly message: string;
  /** The override that does not apply, `Globalization web`. */
  readonly override?: string;
  /** The same, with the patch and the path. */
  readonly failed?: OverrideProblem;
}

export interface Rendered {
  /** Base64 of one JSON object each, in the order of the feeds. */
  readonly raw: readonly string[];
  readonly problems: readonly RenderProblem[];
}

export function render({ feeds, overrides, previous, cluster }: RenderInput): Rendered {
  const before = previousByIdentity(previous);
  const raw = new Map<string, string>();
  const problems: RenderProblem[] = [];
  const keep = (feed: Feed): void => {
    for (const [key, { identity, text }] of before) if (namesFeed(feed, identity)) raw.set(key, text);
  };
  for (const resolved of feeds) {
    const { feed } = resolved;
    if (!resolved.found) {
      problems.push({ feed, reason: resolved.reason, message: resolved.message });
      keep(feed);
      continue;
    }
    const result = applyOverrides(resolved.template, overridesOf(resolved.identity, overrides));
    if (result.ok) raw.set(feedKey(resolved.identity), encode(result.object));
    else {
      const message = `${feedText(feed)}: ${problemText(result.problem, cluster)}`;
      problems.push({ feed, reason: "OverrideFailed", message, override: result.problem.override, failed: result.problem });
      keep(feed);
    }
  }
  return bounded({ raw: [...raw.values()], problems }, { feeds, previous });
}

/**
 * What a Description was rendered from, as a hash. While it stays the same nothing is rendered again, so an ApplyLater override waits:
 * it is not part of it, and comes in when something that is part of it changes.
 */
export function renderTrigger({ feeds, overrides }: Pick<RenderInput, "feeds" | "overrides">): string {
  return canonicalHash({
    version: RENDER_VERSION,
    feeds: feeds.map((resolved) =>
      resolved.found ? templateHash(resolved.template) : `${feedKey(resolved.feed)} ${resolved.reason}`,
    ),
    overrides: overrides
      .filter(({ spec }) => spec.overridePolicy === "ApplyNow")
      .map(({ kind, metadata: { namespace, name }, spec }) => [
        kind,
        namespace ?? "",
        name,
        spec.priority,
        spec.feed,
        spec.overrides ?? [],
      ]),
  });
}

/** Overrides of these feeds only: the others cannot change what is rendered. */
export function overridesOfFeeds(feeds: readonly ResolvedFeed[], overrides: readonly Override[]): readonly Override[] {
  return overrides.filter(({ spec }) => feeds.some((resolved) => resolved.found && namesFeed(spec.feed, resolved.identity)));
}

export function decodeRaw(raw: string): JsonObject | undefined {
  try {
    const value = parseExactJson(Buffer.from(raw, "base64").toString("utf8"));
    return isJsonObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function encode(object: JsonObject): string {
  return Buffer.from(JSON.stringify(object), "utf8").toString("base64");
}

/** Templates come from a cache and are shared, so one is hashed once, not once per cluster. */
const templateHashes = new WeakMap<JsonObject, string>();

function templateHash(template: JsonObject): string {
  const known = templateHashes.get(template);
  if (known !== undefined) return known;
  const hash = canonicalHash(template);
  templateHashes.set(template, hash);
  return hash;
}

function overridesOf(identity: Feed, overrides: readonly Override[]): readonly Override[] {
  return overrides.filter(({ spec }) => namesFeed(spec.feed, identity));
}

function previousByIdentity(
  previous: readonly string[],
): ReadonlyMap<string, { readonly identity: Feed; readonly text: string }> {
  return new Map(
    previous.flatMap((text) => {
      const object = decodeRaw(text);
      const identity = object === undefined ? undefined : identityOf(object);
      return identity === undefined ? [] : [[feedKey(identity), { identity, text }] as const];
    }),
  );
}

function bounded(rendered: Rendered, { feeds, previous }: Pick<RenderInput, "feeds" | "previous">): Rendered {
  const bytes = rendered.raw.reduce((sum, text) => sum + text.length, 0);
  const [first] = feeds;
  if (bytes <= DESCRIPTION_RAW_BYTES_MAX || first === undefined) return rendered;
  const message = `All feeds together are ${String(bytes)} bytes, more than ${String(DESCRIPTION_RAW_BYTES_MAX)}: use several Subscriptions`;
  return { raw: previous, problems: [...rendered.problems, { feed: first.feed, reason: "TooLarge", message }] };
}
