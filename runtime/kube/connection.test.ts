import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:https";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { TLSSocket } from "node:tls";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import {
  createCertificateAuthority,
  issueCertificate,
  type CertificateAuthority,
  type CertificateWithKey,
} from "#std/certificates.ts";
import { createFakeClock } from "#test/framework/fake-clock.ts";
import { ConfigMap } from "./builtin-kinds.ts";
import { createClient } from "./client.ts";
import { connect, connectInCluster, connectKubeconfig, type Connection } from "./connection.ts";

const { signal } = new AbortController();
let directory: string;
let authority: CertificateAuthority;
let server: { readonly port: number; readonly seen: string[]; close(): void };

const clientNamed = (commonName: string): Promise<CertificateWithKey> =>
  issueCertificate(authority, { commonName, usages: ["client"], validDays: 1 });

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "clusternet-connection-"));
  authority = await createCertificateAuthority({ commonName: "test", validDays: 1 });
  const { certificatePem, privateKeyPem } = await issueCertificate(authority, {
    commonName: "server",
    ipAddresses: ["127.0.0.1"],
    usages: ["server"],
    validDays: 1,
  });
  const seen: string[] = [];
  const https = createServer(
    { cert: certificatePem, key: privateKeyPem, ca: authority.certificatePem, requestCert: true, rejectUnauthorized: false },
    (request, response) => {
      const { socket } = request;
      // Without a certificate there is no subject, whatever the types say.
      const subject: { readonly CN?: unknown } | undefined =
        socket instanceof TLSSocket ? socket.getPeerCertificate().subject : undefined;
      const { authorization } = request.headers;
      seen.push(authorization ?? (typeof subject?.CN === "string" ? subject.CN : "nobody"));
      const isExpired = authorization === "Bearer expired";
      response.writeHead(isExpired ? 401 : 200, { "content-type": "application/json" });
      response.end(
        JSON.stringify(isExpired ? { kind: "Status", code: 401, reason: "Unauthorized" } : { metadata: {}, items: [] }),
      );
    },
  );
  https.listen(0, "127.0.0.1");
  await once(https, "listening");
  server = {
    port: (https.address() as AddressInfo).port,
    seen,
    close: () => {
      https.closeAllConnections();
      https.close();
    },
  };
});

afterAll(async () => {
  server.close();
  await rm(directory, { recursive: true, force: true });
});

const url = (): string => `https://127.0.0.1:${server.port}`;

async function asked(connection: Connection): Promise<string | undefined> {
  await createClient(connection, { component: "test" }).list(ConfigMap, {}, signal);
  return server.seen.at(-1);
}

interface KubeconfigParts {
  readonly cluster?: object;
  readonly user?: object;
}

/** JSON is YAML. */
const kubeconfig = ({ cluster = {}, user = {} }: KubeconfigParts): string =>
  JSON.stringify({
    "current-context": "c",
    clusters: [
      {
        name: "k",
        cluster: {
          server: url(),
          "certificate-authority-data": Buffer.from(authority.certificatePem).toString("base64"),
          ...cluster,
        },
      },
    ],
    users: [{ name: "u", user }],
    contexts: [{ name: "c", context: { cluster: "k", user: "u" } }],
  });

describe("a connection", () => {
  test("verifies the server's certificate, whatever the environment says", async () => {
    process.env["NODE_TLS_REJECT_UNAUTHORIZED"] = "0";
    try {
      await using connection = connect({ server: url() });
      await expect(asked(connection)).rejects.toMatchObject({ reason: "Unreachable" });
    } finally {
      delete process.env["NODE_TLS_REJECT_UNAUTHORIZED"];
    }
  });

  test("sends credentials over https only", () => {
    expect(() => connect({ server: "http://10.0.0.1:8080", token: "t" })).toThrow("https only");
  });

  test("proves itself by token or by client certificate", async () => {
    const caPem = authority.certificatePem;
    await using byToken = connect({ server: url(), caPem, token: "t1" });
    await using byCertificate = connect({ server: url(), caPem, clientCertificate: await clientNamed("alice") });
    expect([await asked(byToken), await asked(byCertificate)]).toEqual(["Bearer t1", "alice"]);
  });
});

describe("a connection in a cluster", () => {
  test("reads its token again after a minute, and at once when it is refused", async () => {
    await writeFile(join(directory, "token"), "one\n");
    await writeFile(join(directory, "ca.crt"), authority.certificatePem);
    const clock = createFakeClock();
    const env = {
      KUBERNETES_SERVICE_HOST: "127.0.0.1",
      KUBERNETES_SERVICE_PORT: String(server.port),
      CLUSTERNET_SERVICE_ACCOUNT_DIR: directory,
    };
    await using connection = await connectInCluster(env, { clock });
    expect(connection.server).toBe(url());
    expect(await asked(connection)).toBe("Bearer one");
    await writeFile(join(directory, "token"), "expired");
    expect(await asked(connection)).toBe("Bearer one");
    await clock.advance(60_000);
    await expect(asked(connection)).rejects.toMatchObject({ reason: "Unauthorized" });
    await writeFile(join(directory, "token"), "two");
    expect(await asked(connection)).toBe("Bearer two");
  });

  test("keeps the token it has while the file is being replaced", async () => {
    await writeFile(join(directory, "token"), "one");
    await writeFile(join(directory, "ca.crt"), authority.certificatePem);
    const clock = createFakeClock();
    const env = {
      KUBERNETES_SERVICE_HOST: "127.0.0.1",
      KUBERNETES_SERVICE_PORT: String(server.port),
      CLUSTERNET_SERVICE_ACCOUNT_DIR: directory,
    };
    await using connection = await connectInCluster(env, { clock });
    await rm(join(directory, "token"));
    await clock.advance(120_000);
    expect(await asked(connection)).toBe("Bearer one");
  });

  test("says what is missing outside of one", async () => {
    await expect(connectInCluster({})).rejects.toThrow("KUBERNETES_SERVICE_HOST is not set");
  });
});

describe("a connection from a kubeconfig", () => {
  test("uses tokens and client certificates, given as data or as files beside it", async () => {
    const { certificatePem, privateKeyPem } = await clientNamed("bob");
    await writeFile(join(directory, "bob.crt"), certificatePem);
    await writeFile(join(directory, "bob.key"), privateKeyPem);
    const path = join(directory, "kubeconfig");
    await writeFile(path, kubeconfig({ user: { "client-certificate": "bob.crt", "client-key": "bob.key" } }));
    await using fromFile = await connectKubeconfig({ path });
    await using fromText = await connectKubeconfig({ text: kubeconfig({ user: { token: "t2" } }) });
    expect([await asked(fromFile), await asked(fromText)]).toEqual(["bob", "Bearer t2"]);
  });

  test("goes on with new connections when the client certificate is rotated", async () => {
    const write = async (name: string): Promise<void> => {
      const { certificatePem, privateKeyPem } = await clientNamed(name);
      await writeFile(join(directory, "c.crt"), certificatePem);
      await writeFile(join(directory, "c.key"), privateKeyPem);
    };
    await write("old");
    const clock = createFakeClock();
    const path = join(directory, "kubeconfig");
    await writeFile(path, kubeconfig({ user: { "client-certificate": "c.crt", "client-key": "c.key" } }));
    await using connection = await connectKubeconfig({ path, clock });
    const before = connection.dispatcher;
    expect(await asked(connection)).toBe("old");
    await write("new");
    await clock.advance(60_000);
    expect(await asked(connection)).toBe("new");
    expect(connection.dispatcher).not.toBe(before);
    await expect(before.request({ origin: url(), path: "/", method: "GET" })).rejects.toMatchObject({
      code: "UND_ERR_DESTROYED",
    });
  });

  test("runs a credential plugin, once until what it gave expires or is refused", async () => {
    const counter = join(directory, "plugin-runs");
    const answer = (token: string): string =>
      JSON.stringify({
        apiVersion: "client.authentication.k8s.io/v1",
        kind: "ExecCredential",
        status: { token, expirationTimestamp: "2999-01-01T00:00:00Z" },
      });
    const script = `echo x >> ${counter}; if [ $(wc -l < ${counter}) = 1 ]; then echo '${answer("expired")}'; else echo '${answer("fresh")}'; fi`;
    const exec = { apiVersion: "client.authentication.k8s.io/v1", command: "sh", args: ["-c", script], interactiveMode: "Never" };
    await using connection = await connectKubeconfig({ text: kubeconfig({ user: { exec } }) });
    expect([await asked(connection), await asked(connection)]).toEqual(["Bearer fresh", "Bearer fresh"]);
    expect((await readFile(counter, "utf8")).trim().split("\n")).toHaveLength(2);
  }, 60_000);

  test.each([
    { it: "another context", text: () => kubeconfig({}), context: "nope", says: 'no context "nope"' },
    {
      it: "no verification",
      text: () => kubeconfig({ cluster: { "insecure-skip-tls-verify": true } }),
      says: "insecure-skip-tls-verify",
    },
    { it: "no address", text: () => kubeconfig({ cluster: { server: "not a url" } }), says: "clusters[0].cluster.server" },
    { it: "no YAML", text: () => "users: [token: s3cr3t", says: "is not YAML" },
  ])("refuses one with $it and says why, without its secrets", async ({ text, context, says }) => {
    const error = await connectKubeconfig({ text: text(), ...(context === undefined ? {} : { context }) }).catch(
      (thrown: unknown) => thrown,
    );
    expect(String(error)).toContain(says);
    expect(String(error)).not.toContain("s3cr3t");
  });

  test("loads the plugins' code only when a kubeconfig asks for it", async () => {
    const { stdout } = await import("execa").then(({ execa }) =>
      execa(
        process.execPath,
        [
          "--input-type=module",
          "-e",
          `
        import { registerHooks } from "node:module";
        let loaded = false;
        registerHooks({ resolve: (s, c, next) => { if (s === "@kubernetes/client-node") loaded = true; return next(s, c); } });
        const { connectKubeconfig } = await import("#kube/connection.ts");
        await connectKubeconfig({ text: process.env.PLAIN });
        console.log(loaded);
        await connectKubeconfig({ text: process.env.EXEC }).catch(() => undefined);
        console.log(loaded);
      `,
        ],
        {
          cwd: new URL(".", import.meta.url).pathname,
          env: {
            PLAIN: kubeconfig({ user: { token: "t" } }),
            EXEC: kubeconfig({ user: { exec: { apiVersion: "client.authentication.k8s.io/v1", command: "false" } } }),
          },
        },
      ),
    );
    expect(stdout.split("\n")).toEqual(["false", "true"]);
  }, 60_000);
});
