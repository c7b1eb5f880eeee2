// Charts from repositories and registries: what is found, what is refused and why, and where a password goes.

import { createServer, type IncomingMessage } from "node:http";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { expect, test } from "@jest/globals";
import { createCertificateAuthority, issueCertificate } from "#std/certificates.ts";
import { startChartRepository, type ChartRepository, type RepositoryOptions } from "#test/framework/chart-repository.ts";
import type { ChartSource } from "./chart.ts";
import type { Access } from "./fetch.ts";
import { findChart } from "./find-chart.ts";

const never = new AbortController().signal;
const user = { username: "robot", password: "correct horse" };
const plain: Access = { plainHttp: true };

async function withRepository(options: RepositoryOptions, work: (repository: ChartRepository) => Promise<void>): Promise<void> {
  await using repository = await startChartRepository(options);
  for (const version of ["1.0.0", "1.2.0", "2.0.0-rc.1"]) repository.publish({ name: "web", version });
  await work(repository);
}

const kinds = ["http", "oci"] as const;
const sourceOf = (
  repository: ChartRepository,
  kind: (typeof kinds)[number],
  changes: Partial<ChartSource> = {},
): ChartSource => ({
  repo: kind === "http" ? repository.url : repository.oci,
  chart: "web",
  version: "1.0.0",
  ...changes,
});
const reasonOf = (finding: Promise<unknown>): Promise<string> =>
  finding.then(
    () => "found",
    (error: unknown) => (error as { reason?: string }).reason ?? String(error),
  );

test.each(kinds)("%s: a version, the newest, a range", async (kind) => {
  await withRepository({}, async (repository) => {
    for (const [version, expected] of [
      ["1.0.0", "1.0.0"],
      ["", "1.2.0"],
      ["^1.0.0", "1.2.0"],
      [">=2.0.0-0", "2.0.0-rc.1"],
    ] as const) {
      const found = await findChart(sourceOf(repository, kind, { version }), plain, never);
      expect(found.version).toBe(expected);
      expect((await found.download(never)).subarray(0, 2)).toEqual(Buffer.from([0x1f, 0x8b]));
    }
  });
});

test.each(kinds)("%s: what is not there is said", async (kind) => {
  await withRepository({}, async (repository) => {
    expect(await reasonOf(findChart(sourceOf(repository, kind, { version: "9.0.0" }), plain, never))).toBe("VersionMissing");
    expect(await reasonOf(findChart(sourceOf(repository, kind, { chart: "none", version: "" }), plain, never))).toBe(
      "ChartMissing",
    );
  });
});

test.each(kinds)("%s: a private repository is read with its password, and not without", async (kind) => {
  await withRepository({ user }, async (repository) => {
    const source = sourceOf(repository, kind);
    await (await findChart(source, { ...plain, ...user }, never)).download(never);
    const wrong = findChart(source, { ...plain, ...user, password: "wrong" }, never);
    expect(await reasonOf(wrong)).toBe("CredentialsRefused");
    await expect(wrong).rejects.not.toThrow("wrong");
    expect(await reasonOf(findChart(source, plain, never))).toBe("CredentialsRefused");
  });
});

test.each(kinds)("%s: a certificate is trusted with its authority only", async (kind) => {
  const authority = await createCertificateAuthority({ commonName: "charts", validDays: 1 });
  const issued = await issueCertificate(authority, {
    commonName: "charts",
    ipAddresses: ["127.0.0.1"],
    usages: ["server"],
    validDays: 1,
  });
  await withRepository({ tls: { cert: issued.certificatePem, key: issued.privateKeyPem } }, async (repository) => {
    const source = sourceOf(repository, kind);
    expect(await reasonOf(findChart(source, { plainHttp: false }, never))).toBe("CertificateNotTrusted");
    const access = { plainHttp: false, caPem: authority.certificatePem };
    expect((await findChart(source, access, never)).version).toBe("1.0.0");
  });
});

test("plain HTTP of a registry only when asked for", async () => {
  await withRepository({}, async (repository) => {
    expect(await reasonOf(findChart(sourceOf(repository, "oci"), { plainHttp: false }, never))).toBe("RepositoryUnreachable");
  });
});

test("a repository that is down, or broken", async () => {
  await withRepository({}, async (repository) => {
    const source = sourceOf(repository, "http");
    for (const [status, reason] of [
      [500, "RepositoryUnreachable"],
      [429, "RepositoryUnreachable"],
      [404, "RepositoryInvalid"],
    ] as const) {
      repository.fail = (_request, response) => response.writeHead(status).end("<secret of somebody else>");
      const finding = findChart(source, plain, never);
      expect(await reasonOf(finding)).toBe(reason);
      await expect(finding).rejects.not.toThrow("somebody else");
    }
    repository.fail = (_request, response) => response.end("entries: [");
    expect(await reasonOf(findChart(source, plain, never))).toBe("RepositoryInvalid");
  });
  expect(await reasonOf(findChart({ repo: "http://127.0.0.1:1/", chart: "web" }, plain, never))).toBe("RepositoryUnreachable");
});

test("a password goes to the repository's own host and port only: not after a redirect, not to a chart elsewhere", async () => {
  const seen: (string | undefined)[] = [];
  const elsewhere = createServer((request: IncomingMessage, response) => {
    seen.push(request.headers.authorization);
    response.end("entries:\n  web:\n  - version: 1.0.0\n    urls: [other.tgz]\n");
  });
  elsewhere.listen(0, "127.0.0.1");
  await once(elsewhere, "listening");
  const other = `http://127.0.0.1:${String((elsewhere.address() as AddressInfo).port)}/`;
  try {
    await withRepository({ user, chartsAt: other }, async (repository) => {
      const found = await findChart(sourceOf(repository, "http"), { ...plain, ...user }, never);
      await found.download(never).catch(() => undefined);
      repository.fail = (_request, response) => response.writeHead(302, { location: `${other}index.yaml` }).end();
      await findChart(sourceOf(repository, "http"), { ...plain, ...user }, never);
    });
    expect(seen).toEqual([undefined, undefined]);
  } finally {
    elsewhere.closeAllConnections();
    elsewhere.close();
  }
});

test("a registry that names another host for its tokens does not get the password there", async () => {
  await withRepository({ user }, async (repository) => {
    repository.fail = (_request, response) =>
      response.writeHead(401, { "www-authenticate": 'Bearer realm="https://evil.example/token"' }).end();
    const finding = findChart(sourceOf(repository, "oci"), { ...plain, ...user }, never);
    expect(await reasonOf(finding)).toBe("PullSecretRefused");
    await expect(finding).rejects.toThrow("tokenHost");
  });
});

test("a password is not sent over plain HTTP to another machine, unless asked for", async () => {
  const source = { repo: "http://charts.example/", chart: "web" };
  expect(await reasonOf(findChart(source, { plainHttp: false, ...user }, never))).toBe("PullSecretRefused");
});
