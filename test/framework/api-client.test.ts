// How the tests' own client speaks to a server.

import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createSecureServer } from "node:http2";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "@jest/globals";
import { createCertificateAuthority, issueCertificate } from "#std/certificates.ts";
import { connectApiClient } from "#test/framework/api-client.ts";
import { writeKubeconfig } from "#test/framework/certificates.ts";

test("speaks HTTP/1.1 also to a server that offers HTTP/2, as kube-apiserver does", async () => {
  await using stack = new AsyncDisposableStack();
  const directory = await mkdtemp(join(tmpdir(), "clusternet-api-client-"));
  stack.defer(() => rm(directory, { recursive: true }));
  const authority = await createCertificateAuthority({ commonName: "test", validDays: 1 });
  const { certificatePem, privateKeyPem } = await issueCertificate(authority, {
    commonName: "127.0.0.1",
    ipAddresses: ["127.0.0.1"],
    usages: ["server"],
    validDays: 1,
  });
  const versions: string[] = [];
  const server = createSecureServer({ allowHTTP1: true, cert: certificatePem, key: privateKeyPem }, (request, response) => {
    versions.push(request.httpVersion);
    response.writeHead(200, { "content-type": "application/json" });
    response.end("{}");
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  stack.defer(() => {
    server.close();
  });
  const path = join(directory, "kubeconfig");
  const url = `https://127.0.0.1:${String((server.address() as AddressInfo).port)}`;
  await writeKubeconfig({ path, name: "test", server: url, authority, user: "admin" });
  await using client = await connectApiClient(path);
  await client.request({ method: "GET", path: "/readyz" });
  expect(versions).toEqual(["1.1"]);
});
