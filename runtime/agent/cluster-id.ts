// The id of this cluster: the uid of its namespace kube-system, which outlives every installation; or the one that it had upstream.

import { annotations } from "#api/names.ts";
import { Lease, Namespace } from "#kube/builtin-kinds.ts";
import type { Client } from "#kube/client.ts";

export async function readClusterId(
  child: Client,
  { lease }: { readonly lease: { readonly namespace: string; readonly name: string } },
  signal: AbortSignal,
): Promise<string> {
  const legacy = (await child.get(Lease, lease, signal))?.metadata.annotations?.[annotations.legacyClusterId];
  if (legacy !== undefined && legacy !== "") return legacy;
  const uid = (await child.get(Namespace, { name: "kube-system" }, signal))?.metadata.uid;
  if (uid === undefined) throw new Error("This cluster has no namespace kube-system: it cannot be told from others");
  return uid;
}
