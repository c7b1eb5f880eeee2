// Children that tell their capacity: the predictor of the real agent and its room, over nodes in memory, behind HTTPS as a child with
// predictorDirectAccess has it. What they leave out is the way through the hub and the tunnel, and pods that start.

import { once } from "node:events";
import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import { ClusterRoomKeeper, CsiNodes, ResourceQuotas, StorageClasses } from "#agent/cluster-room.ts";
import { CountedPods } from "#agent/counted-pod.ts";
import { createPredictor, type Predictor } from "#agent/predictor.ts";
import { Node } from "#kube/builtin-kinds.ts";
import { createCertificateAuthority, issueCertificate } from "#std/certificates.ts";
import { createStubInformer } from "#test/framework/stub-informer.ts";

export interface CapacityChildren extends AsyncDisposable {
  readonly caPem: string;
  /** `https://127.0.0.1:PORT/CHILD`. */
  addressOf(child: string): string;
}

const LOOPBACK = "127.0.0.1";
const NODES = 20;
const ALLOCATABLE = { cpu: "96", memory: "768Gi", pods: "1000" };
export async function startCapacityChildren(names: readonly string[]): Promise<CapacityChildren> {
  const predictors = new Map(names.map((name) => [name, predictorOf(name)]));
  const authority = await createCertificateAuthority({ commonName: "bench predictors", validDays: 1 });
  const { certificatePem: cert, privateKeyPem: key } = await issueCertificate(authority, {
    commonName: LOOPBACK,
    ipAddresses: [LOOPBACK],
    usages: ["server"],
    validDays: 1,
  });
  const server = serverOf(predictors, { cert, key });
  server.listen(0, LOOPBACK);
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return {
    caPem: authority.certificatePem,
    addressOf: (child) => `https://${LOOPBACK}:${String(port)}/${child}`,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}

function predictorOf(child: string): Predictor {
  const nodes = createStubInformer(Node);
  nodes.listed(
    ...Array.from({ length: NODES }, (_, index): Node => {
      const name = `${child}-node-${String(index)}`;
      const labels = { "topology.kubernetes.io/zone": `zone-${String(index % 3)}`, "kubernetes.io/hostname": name };
      return { apiVersion: "v1", kind: "Node", metadata: { name, uid: name, labels }, status: { allocatable: ALLOCATABLE } };
    }),
  );
  const room = new ClusterRoomKeeper({
    nodes,
    pods: createStubInformer(CountedPods),
    csiNodes: createStubInformer(CsiNodes),
    storageClasses: createStubInformer(StorageClasses),
    quotas: createStubInformer(ResourceQuotas, { namespace: ({ metadata }) => [metadata.namespace ?? ""] }),
  });
  return createPredictor({ room, delivered: () => [] });
}

function serverOf(
  predictors: ReadonlyMap<string, Predictor>,
  certificate: { readonly cert: string; readonly key: string },
): Server {
  return createServer(certificate, (request, response) => {
    const [, child = "", ...path] = (request.url ?? "").split("/");
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const body = Buffer.concat(chunks).toString("utf8");
      const answer = predictors.get(child)?.({ method: request.method ?? "", path: `/${path.join("/")}`, body });
      response.writeHead(answer?.status ?? 404, { "content-type": "application/json" });
      response.end(JSON.stringify(answer?.json ?? {}));
    });
  });
}
