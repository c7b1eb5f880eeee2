// Whether a Manifest or HelmChart may go: not while a Subscription or a Base still uses it. Pure.

import type { HelmChart } from "#api/apps/v1alpha1/helm-chart.ts";
import type { Manifest } from "#api/apps/v1alpha1/manifest.ts";
import { annotations, finalizers } from "#api/names.ts";
import { shortList } from "#std/short-list.ts";

export type ProtectionStep =
  | { readonly type: "none" }
  | { readonly type: "protect" }
  | { readonly type: "release" }
  | { readonly type: "explain"; readonly message: string };

/** Names in the message; the rest is a number. */
const USERS_SHOWN_MAX = 5;

/** `users`: `namespace/name` of the Subscriptions that may use it and do. */
export function planProtection(object: Manifest | HelmChart, users: readonly string[]): ProtectionStep {
  const { metadata } = object;
  const isProtected = metadata.finalizers?.includes(finalizers.feedProtection) === true;
  if (users.length === 0) return isProtected ? { type: "release" } : { type: "none" };
  if (metadata.deletionTimestamp === undefined) return isProtected ? { type: "none" } : { type: "protect" };
  const shown = shortList(users.toSorted(), USERS_SHOWN_MAX).join(", ");
  const kind = "template" in object && typeof object.template["kind"] === "string" ? object.template["kind"] : object.kind;
  // Upstream's words, which its clients show.
  const message = `block deleting current ${kind} until all Subscriptions (including ${shown}) that refer this as a feed get deleted`;
  return metadata.annotations?.[annotations.feedProtection] === message ? { type: "none" } : { type: "explain", message };
}
