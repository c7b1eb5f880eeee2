// Feed: a reference to something that can be delivered. Shared by Subscription, Base, overrides and statuses.

import * as z from "zod";

import type { Immutable } from "#api/define-kind.ts";

export const Feed = z.object({
  kind: z.string().describe("Kind of the object: HelmChart, or any kind whose template is stored as a Manifest."),
  apiVersion: z.string().describe("Group and version of the object, such as apps/v1."),
  namespace: z.string().optional().describe("Namespace of the object; absent for cluster-scoped kinds."),
  name: z.string().describe("Name of the object."),
});
export type Feed = Immutable<z.output<typeof Feed>>;

/** Key of a feed in `status.replicas`: `apiVersion/kind[/namespace]/name`. */
export function feedKey({ apiVersion, kind, namespace, name }: Feed): string {
  return namespace === undefined || namespace === ""
    ? `${apiVersion}/${kind}/${name}`
    : `${apiVersion}/${kind}/${namespace}/${name}`;
}
