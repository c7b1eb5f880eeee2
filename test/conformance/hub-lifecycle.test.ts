// What changes while a hub runs, and how it leaves: its certificate, whom it believes, its agents, itself. Requests do not notice.
import { randomBytes, X509Certificate } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { Agent, request as httpsRequest, type RequestOptions } from "node:https";
import { join } from "node:path";
import { connect as connectTls, type TLSSocket } from "node:tls";
import { once } from "node:events";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { apiServices } from "#api/names.ts";
import { socketProxyPath } from "#api/proxies/v1alpha1/socket.ts";
import { createCertificateAuthority } from "#std/certificates.ts";
import { eventually } from "#test/framework/eventually.ts";
import { startHubBed, type HubBed } from "./hub-bed.ts";
import { answerTo, clientCertificate, open, send, whoAmI, type Answer, type OpenAnswer } from "./hub-client.ts";
import { startStallingRelay } from "./stalling-relay.ts";
import { startJoinedAgent } from "./joined-agent.ts";
import { allow, hubAuthority, HUB_PORT, socketsProxyRules, SYSTEM_NAMESPACE, tokenOf } from "./hub-objects.ts";

const SECOND_IN_DAYS = 1 / 86_400;
const rbac = "rbac.authorization.k8s.io";
const ana = { kind: "User", name: "ana", apiGroup: rbac };
const configMaps = "/api/v1/namespaces/default/configmaps";

let bed: HubBed;
/** A request of ana's, through the parent. */
let asAna: RequestOptions;

beforeAll(async () => {
  bed = await startHubBed();
  asAna = { ca: bed.parent.caPem, ...(await clientCertificate(bed.parent.authorities.cluster, { user: "ana" })) };
  await allow(bed.parent.admin, { name: "through", subject: ana, rules: socketsProxyRules });
  const rules = [{ apiGroups: [""], resources: ["configmaps"], verbs: ["*"] }];
  await allow(bed.child.admin, { name: "ana-maps", subject: ana, rules });
}, 120_000);
afterAll(async () => {
  await bed[Symbol.asyncDispose]();
});

const version = (): Promise<Answer> => send(`${bed.proxyUrl}/version`, asAna);
const served = (): Promise<true> => eventually("requests are served", async () => (await version()).status === 200);

async function restartHub(...given: Parameters<HubBed["startHub"]>): Promise<void> {
  await bed.stopHub();
  await bed.startHub(...given);
  await served();
}

/** A connection to the hub on which nothing is asked. Without `ca` anybody may answer. */
async function connectTo(ca?: string): Promise<{ readonly socket: TLSSocket } & AsyncDisposable> {
  const trust = ca === undefined ? { rejectUnauthorized: false } : { ca };
  const socket = connectTls({ host: new URL(bed.hubUrl).hostname, port: HUB_PORT, ...trust });
  socket.on("error", () => undefined);
  await once(socket, "secureConnect");
  return {
    socket,
    [Symbol.asyncDispose]: () => {
      socket.destroy();
      return Promise.resolve();
    },
  };
}

function openWatch(): Promise<OpenAnswer> {
  return open(`${bed.proxyUrl}${configMaps}?watch=true`, asAna);
}

describe("the hub's certificate and its authority are replaced", () => {
  const apiService = `/apis/apiregistration.k8s.io/v1/apiservices/${apiServices.proxies}`;
  const trusted = async (): Promise<X509Certificate[]> => {
    const service = await bed.parent.admin.get<{ spec: { caBundle?: string } }>(apiService);
    const pems = Buffer.from(service?.spec.caBundle ?? "", "base64").toString();
    return (pems.match(/-----BEGIN[^-]+-----[^-]+-----END[^-]+-----/g) ?? []).map((pem) => new X509Certificate(pem));
  };
  const shown = async (): Promise<X509Certificate> => {
    await using connection = await connectTo();
    const { socket } = connection;
    const certificate = socket.getPeerX509Certificate();
    if (certificate === undefined) throw new Error("The hub showed no certificate");
    return certificate;
  };
  const isTrusted = (certificate: X509Certificate, authorities: readonly X509Certificate[]): boolean =>
    authorities.some((authority) => certificate.checkIssued(authority) && certificate.verify(authority.publicKey));

  test("and the caBundle trusts what is served at every moment, and no request through the parent fails", async () => {
    await bed.stopHub();
    await bed.parent.admin.delete(`/api/v1/namespaces/${SYSTEM_NAMESPACE}/secrets/clusternet-hub-serving`);
    const lifetime = { servingAuthorityDays: 60 * SECOND_IN_DAYS, servingCertificateDays: 60 * SECOND_IN_DAYS };
    await bed.startHub([], { ...lifetime, authorityOverlap: 1_000 });
    await served();
    const issuers = new Set<string>();
    const problems: string[] = [];
    let requests = 0;
    while (issuers.size < 4 && requests < 2_000) {
      const before = await trusted();
      const certificate = await shown();
      const after = await trusted();
      issuers.add(certificate.issuer);
      if (!isTrusted(certificate, before)) problems.push(`${certificate.issuer} was not trusted before it was served`);
      if (!isTrusted(certificate, after)) problems.push(`${certificate.issuer} is served and not trusted`);
      const { status, body } = await version();
      if (status !== 200) problems.push(`${String(status)} ${body}`);
      requests += 1;
    }
    expect(problems).toEqual([]);
    expect(issuers.size).toBe(4);
    expect(bed.tunnelStatus()).toMatchObject({ state: "connected" });
  }, 60_000);
});

describe("a hub that is told to end", () => {
  /** A request that is being served: its body is half sent. */
  const beginUpload = (): { finish: () => Promise<Answer> } => {
    const body = JSON.stringify({ apiVersion: "v1", kind: "ConfigMap", metadata: { name: "slow" } });
    const headers = { "content-type": "application/json", "content-length": String(body.length) };
    const outgoing = httpsRequest(bed.proxyUrl + configMaps, { agent: false, ...asAna, method: "POST", headers });
    const answer = answerTo(outgoing);
    outgoing.write(body.slice(0, 20));
    return {
      finish: async () => {
        outgoing.end(body.slice(20));
        return (await answer).ended;
      },
    };
  };
  /** The port that probes and Prometheus use. */
  const health = async (path: string): Promise<{ status: number; text: string }> => {
    const port = bed.accessLog.findLast(({ event }) => event === "hub.starting")?.["healthPort"];
    const response = await fetch(`http://${new URL(bed.hubUrl).hostname}:${String(port)}${path}`);
    return { status: response.status, text: await response.text() };
  };
  const isServingOne = async (): Promise<boolean> =>
    /^clusternet_hub_requests_in_flight 1$/m.test((await health("/metrics")).text);

  test("is unready first, finishes what it serves, refuses what is new, and sends agents and watches away", async () => {
    // A timeout beyond the test's own: whoever waits for it, instead of for what is served, fails.
    await restartHub([], { shutdownDelay: 1_000, shutdownTimeout: 300_000 });
    const ca = await hubAuthority(bed.parent.admin);
    const straight = { ...asAna, ca };
    await using idle = await connectTo(ca);
    expect(idle.socket.authorized).toBe(true);
    const url = `${bed.hubUrl}${socketProxyPath(bed.clusterId)}/version`;
    const watch = await openWatch();
    const upload = beginUpload();
    await eventually("the upload has arrived", isServingOne);
    expect((await health("/readyz")).status).toBe(200);
    const from = bed.accessLog.length;
    const events = (event: string): Record<string, unknown>[] =>
      bed.accessLog.slice(from).filter((line) => line["event"] === event);

    const stopped = bed.stopHub();
    const unready = { status: 503, text: expect.stringContaining("the hub is shutting down") };
    expect(await health("/readyz")).toMatchObject(unready);
    // Whoever has not heard of it yet is served.
    expect((await send(url, straight)).status).toBe(200);
    expect((await version()).status).toBe(200);
    expect(events("tunnel.ended")).toEqual([]);

    const refused = await eventually("new requests are refused", async () => {
      const answer = await send(url, straight);
      return answer.status === 503 ? answer : undefined;
    });
    expect(refused.headers).toMatchObject({ "retry-after": "1", connection: "close" });
    expect(JSON.parse(refused.body)).toMatchObject({
      kind: "Status",
      code: 503,
      reason: "ServiceUnavailable",
      message: expect.stringContaining("The hub is shutting down"),
    });
    expect((await send(`${bed.hubUrl}/livez`, { ca })).status).toBe(200);
    expect(await watch.ended).toMatchObject({ isComplete: true });
    await eventually("the agent has dialled again, and was refused", () =>
      events("tunnel.dial-failed").some(({ error }) => String(error).includes("The hub is shutting down")),
    );
    expect(await upload.finish()).toMatchObject({ status: 201, isComplete: true });
    // Nor for connections on which nobody asks anything.
    await stopped;
    await bed.startHub();
    await served();
  }, 60_000);

  test("cuts what takes longer than it may", async () => {
    await restartHub([], { shutdownTimeout: 500 });
    const upload = beginUpload();
    await eventually("the upload has arrived", isServingOne);
    await bed.stopHub();
    const ended = await upload.finish().catch(() => ({ status: 0 }));
    expect(ended.status).not.toBe(201);
    await bed.startHub();
    await served();
  });
});

describe("an agent that is lost in the middle of an answer", () => {
  test("leaves a broken answer and an ended watch; then a Status names the hop, until it is back", async () => {
    // What no gzip on the way makes small.
    const text = randomBytes(675_000).toString("base64");
    for (let index = 0; index < 12; index += 1) {
      const object = { apiVersion: "v1", kind: "ConfigMap", metadata: { name: `large-${String(index)}` }, data: { text } };
      await bed.child.admin.create(configMaps, object);
    }
    await using relay = await startStallingRelay(bed.child.server, { bytesMax: 2 * text.length });
    await bed.stopAgent();
    await bed.startAgent({ childServer: relay.url });
    await served();
    const watch = await openWatch();
    const list = await open(bed.proxyUrl + configMaps, asAna);
    await eventually("a part of the answer is there", () => list.text().length > text.length);
    await bed.stopAgent();
    const broken = await list.ended;
    expect(broken).toMatchObject({ status: 200, isComplete: false });
    expect(broken.body.length).toBeLessThan(12 * text.length);
    expect(await watch.ended).toMatchObject({ status: 200 });

    const { status, body, headers } = await version();
    expect({ status, retryAfter: headers["retry-after"] }).toEqual({ status: 503, retryAfter: "2" });
    expect(JSON.parse(body)).toMatchObject({ kind: "Status", message: expect.stringContaining("its agent is disconnected") });
    await bed.startAgent();
    const again = await send(bed.proxyUrl + configMaps, asAna);
    expect(again).toMatchObject({ status: 200, isComplete: true });
    expect(again.body.length).toBeGreaterThan(12 * text.length);
  }, 60_000);
});

describe("the front proxy's authority is replaced", () => {
  const configPath = "/api/v1/namespaces/kube-system/configmaps/extension-apiserver-authentication";
  const patchConfig = (data: Record<string, string>): Promise<unknown> => bed.parent.admin.patch(configPath, { data });
  /** Straight to the hub, as a front proxy that says it speaks for ana. */
  const asFrontProxy = async (certificate: RequestOptions): Promise<number> => {
    const ca = await hubAuthority(bed.parent.admin);
    const headers = { "x-remote-user": "ana" };
    return (await send(`${bed.hubUrl}${socketProxyPath(bed.clusterId)}/version`, { ca, headers, ...certificate })).status;
  };

  test("and the hub follows without a restart: the new one is believed, the old one no longer", async () => {
    const { frontProxy: before } = bed.parent.authorities;
    const after = await createCertificateAuthority({ commonName: "front-proxy-ca-2", validDays: 1 });
    const user = "front-proxy-client";
    const [old, young] = [await clientCertificate(before, { user }), await clientCertificate(after, { user })];
    expect([await asFrontProxy(old), await asFrontProxy(young)]).toEqual([200, 401]);

    // As an administrator does: both are trusted, kube-apiserver changes over, the old one goes.
    const file = (name: string): string => join(bed.parent.directory, "pki", name);
    const both = before.certificatePem + after.certificatePem;
    await patchConfig({ "requestheader-client-ca-file": both });
    await eventually("the new one is believed, too", async () => (await asFrontProxy(young)) === 200);
    expect(await asFrontProxy(old)).toBe(200);
    const kept = new Agent({ keepAlive: true, maxSockets: 1 });
    expect(await asFrontProxy({ ...old, agent: kept })).toBe(200);

    const writes = {
      "front-proxy-ca.crt": after.certificatePem,
      "front-proxy-client.crt": young.cert,
      "front-proxy-client.key": young.key,
    };
    for (const [name, text] of Object.entries(writes)) await writeFile(file(name), text);
    await bed.parent.restartApiserver();
    await served();
    await patchConfig({ "requestheader-client-ca-file": after.certificatePem });
    await eventually("the old one is refused", async () => (await asFrontProxy(old)) === 401);
    expect(await asFrontProxy({ ...old, agent: kept })).toBe(401);
    kept.destroy();
    expect(await asFrontProxy(young)).toBe(200);
    expect((await version()).status).toBe(200);

    const other = await clientCertificate(after, { user: "another-proxy" });
    expect(await asFrontProxy(other)).toBe(401);
    await patchConfig({ "requestheader-allowed-names": JSON.stringify([user, "another-proxy"]) });
    await eventually("another name is allowed", async () => (await asFrontProxy(other)) === 200);
    await patchConfig({ "requestheader-allowed-names": JSON.stringify([user]) });
    await eventually("and no longer", async () => (await asFrontProxy(other)) === 401);
    expect((await version()).status).toBe(200);
  }, 60_000);
});

describe("a child's credential in impersonation extras", () => {
  const account = `system:serviceaccount:${SYSTEM_NAMESPACE}:clusternet-proxy`;
  const asUpstream = async (token: string): Promise<RequestOptions> => ({
    ca: bed.parent.caPem,
    ...(await clientCertificate(bed.parent.authorities.cluster, { user: "upstream-client" })),
    headers: { "impersonate-user": "clusternet", "impersonate-extra-clusternet-token": token },
  });
  const loggedSince = (from: number): string => JSON.stringify(bed.accessLog.slice(from));
  let token: string;

  beforeAll(async () => {
    token = await tokenOf(bed.child.admin, "clusternet-proxy");
    const rules = [
      { apiGroups: [""], resources: ["users"], resourceNames: ["clusternet"], verbs: ["impersonate"] },
      { apiGroups: ["authentication.k8s.io"], resources: ["userextras/clusternet-token"], verbs: ["impersonate"] },
    ];
    await allow(bed.parent.admin, { name: "upstream-client", subject: { ...ana, name: "upstream-client" }, rules });
    await allow(bed.parent.admin, { name: "clusternet", subject: { ...ana, name: "clusternet" }, rules: socketsProxyRules });
  });

  test("is refused by default, and is in no log line and no answer", async () => {
    const from = bed.accessLog.length;
    const answer = await send(`${bed.proxyUrl}/version`, await asUpstream(token));
    expect(JSON.parse(answer.body)).toMatchObject({ code: 403, message: expect.stringContaining("--credential-extras") });
    await eventually("it is logged", () => loggedSince(from).includes("request.served"));
    expect(answer.body + loggedSince(from)).not.toContain(token);
  });

  test("is used for the child with --credential-extras, and is in no log line either", async () => {
    await restartHub(["--credential-extras"]);
    const from = bed.accessLog.length;
    expect(await whoAmI(bed.proxyUrl, await asUpstream(token))).toMatchObject({ username: account });
    // One that the child does not accept is the child's to refuse.
    const wrong = await send(`${bed.proxyUrl}/version/x`, await asUpstream("not-a-token-of-the-child"));
    expect(wrong.status).toBe(401);
    await eventually("both are logged", () => loggedSince(from).split("request.served").length > 2);
    expect(loggedSince(from)).not.toContain(token);
    expect(loggedSince(from)).not.toContain("not-a-token-of-the-child");
    await restartHub();
  });
});

describe("an agent with --hub-url", () => {
  test("joins through the parent, and dials the hub itself, whose authority it verifies and reads anew", async () => {
    await bed.stopAgent();
    // What this one may do at the parent comes from its registration.
    await bed.parent.admin.delete(`/apis/${rbac}/v1/clusterrolebindings/clusternet-${bed.clusterId}`);
    const [parentCaFile, hubCaFile] = ["parent-ca.crt", "hub-ca.crt"].map((name) => join(bed.child.directory, name)) as [
      string,
      string,
    ];
    await writeFile(parentCaFile, bed.parent.caPem);
    // Somebody else's authority: the hub must not be believed.
    await writeFile(hubCaFile, bed.parent.caPem);
    const flags = [`--hub-url=${bed.hubUrl}`, `--hub-ca-file=${hubCaFile}`, `--cluster-reg-parent-ca-file=${parentCaFile}`];
    await using agent = await startJoinedAgent(bed, { clusterName: "paris", clusterNamespace: "home-of-paris", flags });
    const logged = (event: string): Record<string, unknown> | undefined => agent.log.find((line) => line["event"] === event);
    const failed = await eventually("the dial fails", () => logged("tunnel.dial-failed"));
    expect(String(failed["error"])).toMatch(/certificate/);
    expect(await version()).toMatchObject({ status: 503 });
    await eventually("it has joined and reports all the same", async () => {
      const path = "/apis/clusters.clusternet.io/v1beta1/namespaces/home-of-paris/managedclusters/paris";
      const cluster = await bed.parent.admin.get<{ status?: { conditions?: { type: string; status: string }[] } }>(path);
      return cluster?.status?.conditions?.some(({ type, status }) => type === "Ready" && status === "True");
    });

    await writeFile(hubCaFile, await hubAuthority(bed.parent.admin));
    const connected = await eventually("the tunnel opens", () => logged("tunnel.connected"));
    expect(String(connected["url"])).toMatch(bed.hubUrl.replace("https", "wss"));
    expect((await version()).status).toBe(200);
    expect(await whoAmI(bed.proxyUrl, asAna)).toMatchObject({ username: "ana" });
  }, 60_000);
});
