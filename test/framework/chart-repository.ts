// A chart repository on loopback: over HTTP with an index.yaml, and as an OCI registry that hands out tokens. Public or with a password,
// plain or TLS; it records what it was asked and by whom.

import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { createServer as createHttp, type IncomingMessage, type ServerResponse } from "node:http";
import { createServer as createHttps } from "node:https";
import type { AddressInfo } from "node:net";
import { stringify } from "yaml";
import { makeChart, type TestChart } from "#test/framework/test-chart.ts";

export interface RepositoryRequest {
  readonly path: string;
  readonly authorization: string | undefined;
}

export interface ChartRepository extends AsyncDisposable {
  /** `http://127.0.0.1:1234/charts`, with an index.yaml. */
  readonly url: string;
  /** `oci://127.0.0.1:1234/charts`. */
  readonly oci: string;
  readonly origin: string;
  readonly requests: RepositoryRequest[];
  publish(chart: TestChart): void;
  /** Answers every request with this instead, until undefined. */
  fail: ((request: IncomingMessage, response: ServerResponse) => void) | undefined;
}

export interface RepositoryOptions {
  readonly user?: { readonly username: string; readonly password: string };
  readonly tls?: { readonly cert: string; readonly key: string };
  /** Addresses of charts in the index; default relative. */
  readonly chartsAt?: string;
}

interface Published {
  readonly name: string;
  readonly version: string;
  readonly bytes: Buffer;
}

export async function startChartRepository({ user, tls, chartsAt = "" }: RepositoryOptions = {}): Promise<ChartRepository> {
  const published: Published[] = [];
  const token = randomBytes(12).toString("hex");
  const requests: RepositoryRequest[] = [];
  const basic = user === undefined ? undefined : `Basic ${Buffer.from(`${user.username}:${user.password}`).toString("base64")}`;

  const respond = (request: IncomingMessage, response: ServerResponse): void => {
    const path = request.url ?? "/";
    const { authorization } = request.headers;
    requests.push({ path, authorization });
    if (repository.fail !== undefined) {
      repository.fail(request, response);
      return;
    }
    const url = new URL(path, repository.origin);
    const send = (status: number, body: string | Buffer, headers: Record<string, string> = {}): void => {
      response.writeHead(status, headers).end(body);
    };
    if (url.pathname === "/token") {
      if (authorization === basic) send(200, JSON.stringify({ token }));
      else send(401, "");
    } else if (url.pathname.startsWith("/v2/")) {
      if (basic !== undefined && authorization !== `Bearer ${token}`) {
        send(401, "", { "www-authenticate": `Bearer realm="${repository.origin}/token",service="test"` });
      } else registry(url.pathname.slice("/v2/".length), send);
    } else if (basic !== undefined && authorization !== basic) send(401, "", { "www-authenticate": "Basic" });
    else if (url.pathname === "/charts/index.yaml") send(200, indexOf(published, chartsAt));
    else {
      const found = published.find(({ name, version }) => url.pathname === `/charts/${name}-${version}.tgz`);
      if (found === undefined) send(404, "no such file");
      else send(200, found.bytes);
    }
  };

  function registry(path: string, send: (status: number, body: string | Buffer) => void): void {
    const [, name = "", kind = "", reference = ""] = /^charts\/([^/]+)\/(manifests|blobs|tags)\/(.+)$/.exec(path) ?? [];
    const versions = published.filter((each) => each.name === name);
    const found = versions.find(({ version, bytes }) => version === reference || digestOf(bytes) === reference);
    if (kind === "tags" && versions.length > 0) send(200, JSON.stringify({ tags: versions.map(({ version }) => version) }));
    else if (found === undefined) send(404, JSON.stringify({ errors: [] }));
    else send(200, kind === "blobs" ? found.bytes : manifestOf(found));
  }

  const server = tls === undefined ? createHttp(respond) : createHttps(tls, respond);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const host = `127.0.0.1:${String((server.address() as AddressInfo).port)}`;
  const origin = `${tls === undefined ? "http" : "https"}://${host}`;
  const repository: ChartRepository = {
    url: `${origin}/charts`,
    oci: `oci://${host}/charts`,
    origin,
    requests,
    fail: undefined,
    publish: (chart) => {
      published.unshift({ name: chart.name, version: chart.version, bytes: makeChart(chart) });
    },
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
  return repository;
}

function indexOf(published: readonly Published[], chartsAt: string): string {
  const entries: Record<string, object[]> = {};
  for (const { name, version, bytes } of published) {
    entries[name] ??= [];
    const urls = [`${chartsAt}${name}-${version}.tgz`];
    entries[name].push({ apiVersion: "v2", name, version, urls, digest: digestOf(bytes).slice("sha256:".length) });
  }
  return stringify({ apiVersion: "v1", entries, generated: "2026-01-01T00:00:00Z" });
}

function manifestOf({ bytes }: Published): string {
  const layer = { mediaType: "application/vnd.cncf.helm.chart.content.v1.tar+gzip", digest: digestOf(bytes), size: bytes.length };
  return JSON.stringify({ schemaVersion: 2, mediaType: "application/vnd.oci.image.manifest.v1+json", layers: [layer] });
}

function digestOf(bytes: Buffer): string {
  return `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
}
