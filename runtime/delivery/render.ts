// Base + feeds + overrides -> what a Description says. Pure.
//
// A feed that cannot be rendered (missing, not granted, a patch that does not apply) keeps what was rendered last, if anything: a problem
// never removes an object from a child. Only a Base that no longer names the feed does.

import type { Share } from "#api/apps/v1alpha1/base.ts";
import { feedKey, type Feed } from "#api/apps/v1alpha1/feed.ts";
import { canonicalHash } from "#std/canonical-json.ts";
import { parseExactJson } from "#std/exact-json.ts";
import { feedText, identityOf, namesFeed, type FeedReason, type ResolvedFeed } from "./feeds.ts";
import { isJsonObject, type JsonObject } from "./json.ts";
import { applyOverrides, problemText, type Override, type OverrideProblem } from "./overrides.ts";
import { applyShare, shareOf } from "./share.ts";

/** What one Description may hold, in base64: etcd stores at most 1.5 MiB per object, and the status has to fit too. */
export const DESCRIPTION_RAW_BYTES_MAX = 1024 * 1024;

/** Raised when the same input renders to something else, so that an upgrade re-renders once. */
const RENDER_VERSION = 2;

export interface RenderInput {
  readonly feeds: readonly ResolvedFeed[];
  /** Those that apply to this cluster, in order (orderOverrides). */
  readonly overrides: readonly Override[];
  /** Of a divided Subscription: the cluster's replicas. */
  readonly shares?: readonly Share[];
  /** `spec.raw` of the Descriptions that exist. */
  readonly previous: readonly string[];
  /** Name of the ManagedCluster, for messages. */
  readonly cluster: string;
}

export type RenderReason =
  | FeedReason
  /** A patch does not apply: what was rendered last stays. */
  | "OverrideFailed"
  /** The cluster's share of the replicas cannot be written into the object: what was rendered last stays. */
  | "ShareFailed"
  /** The object alone is more than a Description holds. Many that are too large together are split. */
  | "TooLarge";

export interface RenderProblem {
  readonly feed: Feed;
  readonly reason: RenderReason;
  readonly message: string;
  /** The override that does not apply, `Globalization web`. */
  readonly override?: string;
  /** The same, with the patch and the path. */
  readonly failed?: OverrideProblem;
}

export interface RenderedObject {
  readonly key: string;
  readonly kind: string;
  /** Base64 of its JSON. */
  readonly text: string;
}

export interface Rendered {
  /** In the order of the feeds. */
  readonly objects: readonly RenderedObject[];
  readonly problems: readonly RenderProblem[];
}

export function render({ feeds, overrides, shares = [], previous, cluster }: RenderInput): Rendered {
  const before = previousByIdentity(previous);
  const objects = new Map<string, RenderedObject>();
  const problems: RenderProblem[] = [];
  const keep = (feed: Feed): void => {
    for (const [key, { identity, text }] of before)
      if (namesFeed(feed, identity)) objects.set(key, { key, kind: identity.kind, text });
  };
  for (const resolved of feeds) {
    const { feed } = resolved;
    if (!resolved.found) {
      problems.push({ feed, reason: resolved.reason, message: resolved.message });
      keep(feed);
      continue;
    }
    const result = applyOverrides(resolved.template, overridesOf(resolved.identity, overrides));
    if (!result.ok) {
      const message = `${feedText(feed)}: ${problemText(result.problem, cluster)}`;
      problems.push({ feed, reason: "OverrideFailed", message, override: result.problem.override, failed: result.problem });
      keep(feed);
      continue;
    }
    const share = shareOf(feed, shares);
    const shared = share === undefined ? result : applyShare(result.object, share);
    if (!shared.ok) {
      const where = shared.path === "" ? "" : `${shared.path} `;
      const message = `${feedText(feed)}: its share of the replicas cannot be set: ${where}${shared.reason}`;
      problems.push({ feed, reason: "ShareFailed", message });
      keep(feed);
      continue;
    }
    const text = encode(shared.object);
    if (text.length <= DESCRIPTION_RAW_BYTES_MAX) {
      const key = feedKey(resolved.identity);
      objects.set(key, { key, kind: resolved.identity.kind, text });
    } else {
      problems.push({ feed, reason: "TooLarge", message: tooLargeText(feed, text) });
      keep(feed);
    }
  }
  return { objects: [...objects.values()], problems };
}

/** What does not fit into one Description is split (split.ts); an object is not. */
function tooLargeText(feed: Feed, text: string): string {
  const sizes = `${String(text.length)} bytes in base64, and a cluster can be told ${String(DESCRIPTION_RAW_BYTES_MAX)} per object`;
  return `${feedText(feed)}: is too large (${sizes}); divide it into several objects, or let what needs it fetch the rest`;
}

/**
 * What a Description was rendered from, as a hash. While it stays the same nothing is rendered again, so an ApplyLater override waits:
 * it is not part of it, and comes in when something that is part of it changes.
 */
export function renderTrigger({ feeds, overrides, shares = [] }: Pick<RenderInput, "feeds" | "overrides" | "shares">): string {
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
    // Nothing that is not divided is rendered again because of it.
    ...(shares.length === 0 ? {} : { shares }),
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
