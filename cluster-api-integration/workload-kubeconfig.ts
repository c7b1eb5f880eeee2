// Reads the <cluster>-kubeconfig Secret and connects to the workload cluster with it.

import type { ObjectKey } from "#api/meta.ts";
import { Secret } from "#kube/builtin-kinds.ts";
import { createClient, type Client } from "#kube/client.ts";
import { connectKubeconfig } from "#kube/connection.ts";
import { KUBECONFIG_SECRET_KEY, kubeconfigSecretName } from "./contract.ts";
import { kubeconfigProblem } from "./kubeconfig-rules.ts";

export interface WorkloadCluster extends AsyncDisposable {
  readonly client: Client;
}

/** There is no way into the workload cluster; somebody else has to write the Secret first. */
export class NoKubeconfigError extends Error {
  override readonly name = "NoKubeconfigError";
  /** Missing: Cluster API has not written it yet, or has removed it already. Unusable: what is there will not do. */
  readonly reason: "KubeconfigMissing" | "KubeconfigUnusable";

  constructor(reason: NoKubeconfigError["reason"], message: string, options?: ErrorOptions) {
    super(message, options);
    this.reason = reason;
  }
}

/** @throws NoKubeconfigError */
export async function connectWorkloadCluster(
  parent: Pick<Client, "get">,
  cluster: ObjectKey,
  signal: AbortSignal,
): Promise<WorkloadCluster> {
  const { namespace } = cluster;
  const name = kubeconfigSecretName(cluster.name);
  const secret = await parent.get(Secret, { name, ...(namespace === undefined ? {} : { namespace }) }, signal);
  const encoded = secret?.data?.[KUBECONFIG_SECRET_KEY];
  if (encoded === undefined) {
    const what = secret === undefined ? `Secret ${name} is missing` : `Secret ${name} has no key ${KUBECONFIG_SECRET_KEY}`;
    throw new NoKubeconfigError("KubeconfigMissing", what);
  }
  const text = Buffer.from(encoded, "base64").toString("utf8");
  const problem = kubeconfigProblem(text);
  if (problem !== undefined) throw new NoKubeconfigError("KubeconfigUnusable", `Secret ${name} cannot be used: ${problem}`);
  try {
    const connection = await connectKubeconfig({ text });
    return {
      client: createClient(connection, { component: "cluster-api-integration" }),
      [Symbol.asyncDispose]: () => connection[Symbol.asyncDispose](),
    };
  } catch (cause) {
    // Not the cause's message: it may quote a private key.
    throw new NoKubeconfigError("KubeconfigUnusable", `Secret ${name} cannot be used: its context, user or keys do not fit`, {
      cause,
    });
  }
}
