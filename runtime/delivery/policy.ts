// spec.delivery with its defaults, and how a change of it is written. Pure.

import type { DeliveryPolicy } from "#api/apps/v1alpha1/delivery-policy.ts";

/** A policy with its defaults filled in. */
export type ResolvedPolicy = Required<DeliveryPolicy>;

const DEFAULTS: ResolvedPolicy = {
  drift: "Correct",
  ignoreFields: [],
  adoption: "Adopt",
  onDelete: "Delete",
  dependencies: "Report",
  maxDeletePercent: 50,
};

export function policyOf({ delivery }: { readonly delivery?: DeliveryPolicy | undefined }): ResolvedPolicy {
  return { ...DEFAULTS, ...delivery };
}

/** For a merge patch, which removes only what it names: null takes the policy away, or the members that it no longer has. */
export function policyPatch(current: DeliveryPolicy | undefined, wanted: DeliveryPolicy | undefined): object | null {
  if (wanted === undefined) return null;
  const gone = Object.keys(current ?? {}).filter((member) => !Object.hasOwn(wanted, member));
  return { ...wanted, ...Object.fromEntries(gone.map((member) => [member, null])) };
}

/** A spec's own part, to spread: absent when there is no policy. */
export function withPolicy(delivery: DeliveryPolicy | undefined): { readonly delivery?: DeliveryPolicy } {
  return delivery === undefined ? {} : { delivery };
}
