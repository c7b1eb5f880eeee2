// Asks one child's predictor: through the hub, as ourselves; or straight, where the child says that it can be reached so.
//
// (ASK-1) Straight only over TLS that is verified against the authority of `--predictor-ca-file`, and with no credential: the address is
//         what the child says, so nothing of ours may go there.

import { labels } from "#api/names.ts";
import { PredictAnswer, predictorPaths, type PredictRequest } from "#api/proxies/v1alpha1/predictor.ts";
import { isClusterId, socketPredictorPath } from "#api/proxies/v1alpha1/socket.ts";
import { createClient, type Client } from "#kube/client.ts";
import { connect } from "#kube/connection.ts";
import type { AskCluster } from "./capacity-client.ts";

/** Far more than numbers for 500 feeds and a few places: a child must not fill the scheduler's memory. */
const ANSWER_BYTES_MAX = 1024 * 1024;

export interface AskOptions {
  readonly parent: Pick<Client, "request">;
  /** PEM; undefined: nobody is asked straight. */
  readonly predictorCaPem: string | undefined;
}

/** A cluster that does not answer such questions; the message says why. */
class NotAskedError extends Error {
  override readonly name = "NotAskedError";
}

export function createAskCluster({ parent, predictorCaPem }: AskOptions): AskCluster {
  return async (cluster, request, signal) => {
    const { status = {} } = cluster;
    if (status.predictorEnabled !== true)
      throw new NotAskedError("its agent does not tell its capacity (predictorEnabled is false)");
    const body = request;
    if (status.predictorDirectAccess === true) {
      return await askStraight({ address: status.predictorAddress ?? "", caPem: predictorCaPem, body }, signal);
    }
    const id = cluster.metadata.labels?.[labels.clusterId] ?? "";
    if (!isClusterId(id)) throw new NotAskedError(`its ManagedCluster has no label ${labels.clusterId}`);
    const path = socketPredictorPath(id, predictorPaths.predict);
    const { json } = await parent.request({ method: "POST", path, body, answerBytesMax: ANSWER_BYTES_MAX }, signal);
    return PredictAnswer.parse(json) as Awaited<ReturnType<AskCluster>>;
  };
}

async function askStraight(
  { address, caPem, body }: { readonly address: string; readonly caPem: string | undefined; readonly body: PredictRequest },
  signal: AbortSignal,
): ReturnType<AskCluster> {
  if (caPem === undefined)
    throw new NotAskedError("it wants to be asked straight, which only a scheduler with --predictor-ca-file does");
  if (!URL.canParse(address) || new URL(address).protocol !== "https:") {
    throw new NotAskedError(`its predictorAddress ${JSON.stringify(address)} is no https URL`);
  }
  await using connection = connect({ server: address.replace(/\/+$/, ""), caPem });
  const client = createClient(connection, { component: "scheduler" });
  const { json } = await client.request(
    { method: "POST", path: predictorPaths.predict, body, answerBytesMax: ANSWER_BYTES_MAX },
    signal,
  );
  return PredictAnswer.parse(json) as Awaited<ReturnType<AskCluster>>;
}
