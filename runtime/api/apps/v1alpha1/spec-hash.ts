// status.specHash: which spec of a Subscription was scheduled, hashed exactly as upstream's scheduler does. Pure.
//
// FNV-1a (32 bits) over Go's dump of a byte slice, `([]uint8)[123 34 …]`, of Go's JSON of the spec: struct order, `omitempty`, sorted
// map keys, HTML characters escaped.

import type { Subscription } from "./subscription.ts";

/** Go's struct order. What is not listed (our extensions) follows, sorted, so that a change of it changes the hash too. */
const SPEC_FIELDS = [
  "schedulerName",
  "schedulingBySubGroup",
  "schedulingStrategy",
  "dividingScheduling",
  "priority",
  "preemptionPolicy",
  "subscribers",
  "clusterTolerations",
  "feeds",
];
const FIELDS_BELOW: Readonly<Record<string, readonly string[]>> = {
  dividingScheduling: ["type", "dynamicDividing"],
  dynamicDividing: ["strategy", "topologySpreadConstraints", "preferredClusters", "minClusters", "maxClusters"],
  topologySpreadConstraints: [
    "maxSkew",
    "topologyKey",
    "whenUnsatisfiable",
    "labelSelector",
    "minDomains",
    "nodeAffinityPolicy",
    "nodeTaintsPolicy",
    "matchLabelKeys",
  ],
  preferredClusters: ["weight", "preference"],
  subscribers: ["clusterAffinity", "weight", "subGroupStrategy"],
  clusterAffinity: ["matchLabels", "matchExpressions"],
  labelSelector: ["matchLabels", "matchExpressions"],
  matchExpressions: ["key", "operator", "values"],
  clusterTolerations: ["key", "operator", "value", "effect", "tolerationSeconds"],
  feeds: ["kind", "apiVersion", "namespace", "name"],
};
/** Without `omitempty` or behind a pointer: written even when empty or zero. */
const ALWAYS_WRITTEN = new Set([
  "feeds",
  "subscribers",
  "clusterAffinity",
  "minClusters",
  "maxClusters",
  "priority",
  "tolerationSeconds",
]);

/** Empty ones are left out, too; all other objects are structs, or behind a pointer. */
const MAPS = new Set(["matchLabels"]);

export function specHash(spec: Subscription["spec"]): number {
  const bytes = new TextEncoder().encode(goJson(spec, SPEC_FIELDS));
  return fnv1a32(`([]uint8)[${bytes.join(" ")}]`);
}

/** FNV-1a over the UTF-16 units, which of ASCII are the bytes. */
export function fnv1a32(text: string): number {
  let hash = 0x811c9dc5;
  // Signed in between: beyond 31 bits every step would make a number on the heap.
  for (let index = 0; index < text.length; index += 1) hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  return hash >>> 0;
}

function goJson(value: unknown, fields: readonly string[]): string {
  if (Array.isArray(value)) return `[${value.map((item) => goJson(item, fields)).join(",")}]`;
  if (typeof value !== "object" || value === null) return escapeHtml(JSON.stringify(value));
  const members = Object.entries(value)
    .filter(([key, member]) => ALWAYS_WRITTEN.has(key) || !(isEmpty(member) || (MAPS.has(key) && isEmptyMap(member))))
    .sort(([a], [b]) => rank(a, fields) - rank(b, fields) || (a < b ? -1 : 1));
  const texts = members.map(([key, member]) => `${escapeHtml(JSON.stringify(key))}:${goJson(member, FIELDS_BELOW[key] ?? [])}`);
  return `{${texts.join(",")}}`;
}

function rank(key: string, fields: readonly string[]): number {
  const index = fields.indexOf(key);
  return index === -1 ? fields.length : index;
}

/** What Go leaves out under `omitempty`; a pointer to false or zero is in ALWAYS_WRITTEN or, for booleans, kept. */
function isEmpty(value: unknown): boolean {
  return value === undefined || value === null || value === "" || value === 0 || (Array.isArray(value) && value.length === 0);
}

function isEmptyMap(value: unknown): boolean {
  return typeof value === "object" && value !== null && Object.keys(value).length === 0;
}

function escapeHtml(json: string): string {
  return json.replace(/[<>&\u2028\u2029]/g, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`);
}
