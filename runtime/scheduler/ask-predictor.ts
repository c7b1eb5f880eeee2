// Asks one child's predictor: straight, where the child says that it can be reached so and we can tell that it is the child; else through
// the hub, as ourselves.
//
// (ASK-1) Straight only over TLS that is verified against the authority of `--predictor-ca-file`, and with no credential that could be used
//         elsewhere: the address is what the child says. So no token ever goes there; a client certificate may, because its key stays here.

import type { ManagedCluster } from "#api/clusters/v1beta1/managed-cluster.ts";
import { labels } from "#api/names.ts";
import { PredictAnswer, predictorPaths, type PredictRequest } from "#api/proxies/v1alpha1/predictor.ts";
import { isClusterId, socketPredictorPath } from "#api/proxies/v1alpha1/socket.ts";
import type { Client } from "#kube/client.ts";
import { assert } from "#std/assert.ts";
import type { AskCluster } from "./capacity-client.ts";
import type { StraightConnections } from "./straight-connections.ts";

/** Far more than numbers for 500 feeds and a few places: a child must not fill the scheduler's memory. */
const ANSWER_BYTES_MAX = 1024 * 1024;

export interface AskOptions {
  readonly parent: Pick<Client, "request">;
  /** undefined: nobody is asked straight. */
  readonly straight: Pick<StraightConnections, "clientOf"> | undefined;
}

export type Way =
  | { readonly type: "hub"; readonly clusterId: string }
  | { readonly type: "straight"; readonly address: string }
  | { readonly type: "none"; readonly reason: string };

/** A cluster that is not asked; the message says why. */
class NotAskedError extends Error {
  override readonly name = "NotAskedError";
}

export function createAskCluster({ parent, straight }: AskOptions): AskCluster {
  return async (cluster, body, signal) => {
    const way = wayTo(cluster, { straight: straight !== undefined });
    switch (way.type) {
      case "none":
        throw new NotAskedError(way.reason);
      case "straight": {
        assert(straight !== undefined, "Nobody is asked straight without an authority");
        return await ask(await straight.clientOf(way.address, signal), { path: predictorPaths.predict, body }, signal);
      }
      case "hub": {
        const path = socketPredictorPath(way.clusterId, predictorPaths.predict);
        return await ask(parent, { path, body }, signal);
      }
    }
  };
}

async function ask(
  client: Pick<Client, "request">,
  question: { readonly path: string; readonly body: PredictRequest },
  signal: AbortSignal,
): Promise<PredictAnswer> {
  const { json } = await client.request({ method: "POST", ...question, answerBytesMax: ANSWER_BYTES_MAX }, signal);
  return PredictAnswer.parse(json) as PredictAnswer;
}

/** Through the hub whoever has a tunnel, unless it wants to be asked straight and can be. */
export function wayTo({ status = {}, metadata }: ManagedCluster, can: { readonly straight: boolean }): Way {
  const { predictorEnabled, predictorDirectAccess, predictorAddress = "", useSocket } = status;
  if (predictorEnabled !== true)
    return { type: "none", reason: "its agent does not tell its capacity (predictorEnabled is false)" };
  const isStraight = predictorDirectAccess === true;
  if (isStraight && can.straight && isHttps(predictorAddress)) return { type: "straight", address: predictorAddress };
  if (useSocket === false) return { type: "none", reason: `${NO_TUNNEL}, and ${whyNotStraight(status, can)}` };
  const clusterId = metadata.labels?.[labels.clusterId] ?? "";
  if (!isClusterId(clusterId)) return { type: "none", reason: `its ManagedCluster has no label ${labels.clusterId}` };
  return { type: "hub", clusterId };
}

const NO_TUNNEL = "its agent opens no tunnel to the hub (useSocket is false)";

function whyNotStraight(
  { predictorDirectAccess, predictorAddress = "" }: NonNullable<ManagedCluster["status"]>,
  can: { readonly straight: boolean },
): string {
  if (predictorDirectAccess !== true) return "it does not answer direct questions (predictorDirectAccess is false)";
  if (!can.straight) return "only a scheduler with --predictor-ca-file asks it straight";
  return `its predictorAddress ${JSON.stringify(predictorAddress)} is no https URL`;
}

function isHttps(address: string): boolean {
  return URL.canParse(address) && new URL(address).protocol === "https:";
}
