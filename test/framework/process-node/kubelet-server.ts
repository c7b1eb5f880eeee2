// The part of a kubelet's HTTPS endpoint that helps people: `kubectl logs [-f] [--tail]` of a pod that runs as a process.

import { createReadStream, watchFile, unwatchFile } from "node:fs";
import { readFile } from "node:fs/promises";
import type { ServerResponse } from "node:http";
import { createServer } from "node:https";
import { join } from "node:path";
import { once } from "node:events";
import { issueCertificate } from "#std/certificates.ts";
import { freePort, TEST_HOST_MAX, type PodAddress } from "#test/framework/address-slot.ts";
import type { ControlPlane } from "#test/framework/control-plane.ts";
import { podLogFile } from "#test/framework/process-node/pod-runner.ts";

export interface KubeletServer extends AsyncDisposable {
  readonly address: PodAddress;
  readonly port: number;
}

const KUBELET_PORT = 10250;
const FOLLOW_POLL_MS = 200;

export async function startKubeletServer(controlPlane: ControlPlane): Promise<KubeletServer> {
  const address = controlPlane.addresses.podAddress(TEST_HOST_MAX + 1);
  const serving = await issueCertificate(controlPlane.authorities.cluster, {
    commonName: "process-node",
    ipAddresses: [address.listen],
    usages: ["server"],
    validDays: 30,
  });
  const port = await freePort(address.listen, KUBELET_PORT);
  const server = createServer({ cert: serving.certificatePem, key: serving.privateKeyPem }, (request, response) => {
    const url = new URL(request.url ?? "/", "https://node");
    const [, verb, namespace = "", pod = "", container = ""] = url.pathname.split("/");
    if (verb !== "containerLogs") {
      response.writeHead(501).end("A process node serves logs only; exec, attach and port-forward work on kwok's pods\n");
      return;
    }
    const file = join(controlPlane.directory, "logs", podLogFile({ namespace, pod, container }));
    sendLog(file, { query: url.searchParams, response }).catch((error: unknown) => {
      response.writeHead(404).end(`${String(error)}\n`);
    });
  });
  server.listen(port, address.listen);
  await once(server, "listening");
  server.unref();
  return {
    address,
    port,
    [Symbol.asyncDispose]: () =>
      new Promise((resolve) => {
        server.close(() => {
          resolve();
        });
        server.closeAllConnections();
      }),
  };
}

async function sendLog(
  file: string,
  { query, response }: { readonly query: URLSearchParams; readonly response: ServerResponse },
): Promise<void> {
  const content = await readFile(file);
  response.writeHead(200, { "content-type": "text/plain" });
  response.write(tailOf(content, query.get("tailLines")));
  if (query.get("follow") !== "true") {
    response.end();
    return;
  }
  response.flushHeaders();
  follow(file, { response, from: content.byteLength });
}

function follow(file: string, { response, from }: { readonly response: ServerResponse; readonly from: number }): void {
  let sent = from;
  const listener = (current: { readonly size: number }): void => {
    if (current.size <= sent) return;
    const part = createReadStream(file, { start: sent, end: current.size - 1 });
    sent = current.size;
    part.pipe(response, { end: false });
  };
  watchFile(file, { interval: FOLLOW_POLL_MS, persistent: false }, listener);
  response.on("close", () => {
    unwatchFile(file, listener);
  });
}

function tailOf(content: Buffer, lines: string | null): Buffer | string {
  if (lines === null) return content;
  const all = content.toString().split("\n");
  // The last line ends with a line feed, so there is an empty piece after it.
  return all.slice(-Number(lines) - 1).join("\n");
}
