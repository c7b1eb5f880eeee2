// The hub as an aggregated API server: who it believes, what it answers when something is wrong, and what it leaves alone.
import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { createCertificateAuthority, issueCertificate } from "#std/certificates.ts";
import { realClock } from "#std/clock.ts";
import { connectApiClient } from "#test/framework/api-client.ts";
import { eventually } from "#test/framework/eventually.ts";
import { createSession, type Session } from "#tunnel/session.ts";
import { dialWebSocket } from "#tunnel/websocket-transport.ts";
import { apiServices } from "#api/names.ts";
import { socketAttachPath, socketProxyPath } from "#api/proxies/v1alpha1/socket.ts";
import { startHubBed, type HubBed } from "./hub-bed.ts";
import { clientCertificate, send as sendTo, whoAmI as askWhoIAm, type Answer, type SendOptions } from "./hub-client.ts";
import { allow, attachRole, hubAuthority, socketsProxyRules, SYSTEM_NAMESPACE, tokenOf } from "./hub-objects.ts";

let bed: HubBed;
let hubCa: string;
const rbac = "rbac.authorization.k8s.io";
const configMaps = "/api/v1/namespaces/default/configmaps";

beforeAll(async () => {
  bed = await startHubBed();
  hubCa = await hubAuthority(bed.parent.admin);
  const subjects = [
    { kind: "User", name: "ana", apiGroup: rbac },
    { kind: "User", name: "josé", apiGroup: rbac },
    { kind: "Group", name: "team,a", apiGroup: rbac },
    { kind: "ServiceAccount", name: "robot", namespace: "default" },
  ];
  for (const [index, subject] of subjects.entries()) {
    await allow(bed.parent.admin, { name: `through-${String(index)}`, subject, rules: socketsProxyRules });
  }
  await bed.parent.admin.create("/api/v1/namespaces/default/serviceaccounts", {
    apiVersion: "v1",
    kind: "ServiceAccount",
    metadata: { name: "robot" },
  });
}, 120_000);
afterAll(async () => {
  await bed[Symbol.asyncDispose]();
});

/** A request with exactly these headers to a server of the bed. */
function send(url: string, options: SendOptions = {}): Promise<Answer> {
  return sendTo(url, { ca: [hubCa, bed.parent.caPem], ...options });
}

function whoAmI(base: string, options: SendOptions): Promise<unknown> {
  return askWhoIAm(base, { ca: [hubCa, bed.parent.caPem], ...options });
}

function as(user: string, groups: readonly string[] = []): ReturnType<typeof clientCertificate> {
  return clientCertificate(bed.parent.authorities.cluster, { user, groups });
}

describe("the child sees", () => {
  const ways = [
    { way: "through the parent", base: () => bed.proxyUrl },
    { way: "straight to the hub", base: () => bed.hubUrl + socketProxyPath(bed.clusterId) },
  ];
  test.each(ways)("the caller's own user and groups, $way", async ({ base }) => {
    expect(await whoAmI(base(), await as("ana", ["team-b", "c, d"]))).toMatchObject({
      username: "ana",
      groups: ["team-b", "c, d", "system:authenticated"],
    });
  });

  test.each(ways)("a group with a comma as one group, $way", async ({ base }) => {
    expect(await whoAmI(base(), await as("eve", ["team,a"]))).toMatchObject({ groups: ["team,a", "system:authenticated"] });
  });

  test.each(ways)("a name outside ASCII as it is, $way", async ({ base }) => {
    expect(await whoAmI(base(), await as("josé"))).toMatchObject({ username: "josé" });
  });

  test.each(ways)("a ServiceAccount of the parent under a prefixed name, with its extra fields, $way", async ({ base }) => {
    const token = await tokenOf(bed.parent.admin, "robot", "default");
    expect(await whoAmI(base(), { headers: { authorization: `Bearer ${token}` } })).toMatchObject({
      username: "clusternet:parent:serviceaccount:default:robot",
      groups: ["clusternet:parent:serviceaccounts", "clusternet:parent:serviceaccounts:default", "system:authenticated"],
      extra: { "authentication.kubernetes.io/credential-id": [expect.stringMatching(/^JTI=/)] },
    });
  });

  // Through the aggregation layer a uid is believed only from a header that the parent declares (--requestheader-uid-headers).
  test("the uid of a caller who comes straight to the hub", async () => {
    const token = await tokenOf(bed.parent.admin, "robot", "default");
    const base = bed.hubUrl + socketProxyPath(bed.clusterId);
    expect(await whoAmI(base, { headers: { authorization: `Bearer ${token}` } })).toMatchObject({
      uid: expect.stringMatching(/^[0-9a-f-]{36}$/),
    });
  });

  test("who a credential of its own belongs to, and not the caller", async () => {
    const token = await tokenOf(bed.child.admin, "clusternet-proxy");
    const headers = { "clusternet-child-authorization": `Bearer ${token}` };
    expect(await whoAmI(bed.proxyUrl, { ...(await as("ana")), headers })).toMatchObject({
      username: `system:serviceaccount:${SYSTEM_NAMESPACE}:clusternet-proxy`,
    });
  });
});

describe("the hub does not believe", () => {
  const hub = (): string => bed.hubUrl + socketProxyPath(bed.clusterId);
  const spoof = { "x-remote-user": "ana", "x-remote-group": "system:masters" };

  test("identity headers without a client certificate", async () => {
    const { status, body } = await send(`${hub()}/version`, { headers: spoof });
    expect({ status, body }).toMatchObject({ status: 401, body: expect.stringContaining("does not know who you are") });
  });

  test("identity headers beside a user's certificate: the certificate counts", async () => {
    expect(await whoAmI(hub(), { ...(await as("ana")), headers: { ...spoof, "x-remote-user": "admin" } })).toMatchObject({
      username: "ana",
      groups: ["system:authenticated"],
    });
  });

  test("a certificate of the front proxy's authority with another name", async () => {
    const other = await issueCertificate(bed.parent.authorities.frontProxy, {
      commonName: "somebody",
      usages: ["client"],
      validDays: 1,
    });
    const { status } = await send(`${hub()}/version`, { cert: other.certificatePem, key: other.privateKeyPem, headers: spoof });
    expect(status).toBe(401);
  });

  test("the front proxy's name in a certificate of an authority of one's own", async () => {
    const mine = await createCertificateAuthority({ commonName: "front-proxy", validDays: 1 });
    const forged = await issueCertificate(mine, { commonName: "front-proxy-client", usages: ["client"], validDays: 1 });
    const { status } = await send(`${hub()}/version`, { cert: forged.certificatePem, key: forged.privateKeyPem, headers: spoof });
    expect(status).toBe(401);
  });

  test("the front proxy's name in a certificate of the users' authority", async () => {
    const { status } = await send(`${hub()}/version`, { ...(await as("front-proxy-client")), headers: spoof });
    // Known as a user of that name, who may do nothing.
    expect(status).toBe(403);
  });

  test("a token that the parent does not know", async () => {
    const { status } = await send(`${hub()}/version`, { headers: { authorization: "Bearer not-a-token" } });
    expect(status).toBe(401);
  });

  test("Impersonate headers: they neither raise nor reach the child", async () => {
    const headers = { "impersonate-user": "admin", "impersonate-group": "system:masters", "impersonate-extra-a": "b" };
    expect(await whoAmI(hub(), { ...(await as("ana")), headers })).toMatchObject({
      username: "ana",
      groups: ["system:authenticated"],
    });
  });
});

describe("the agent refuses", () => {
  test("an administrator of the parent", async () => {
    const { status, body } = await send(`${bed.proxyUrl}/version`, await as("admin", ["system:masters"]));
    expect({ status, body }).toMatchObject({ status: 403, body: expect.stringMatching(/agent refuses.*system:masters/) });
  });

  test("the parent's controller-manager, unless Push was allowed", async () => {
    await bed.parent.admin.create(`/api/v1/namespaces/${SYSTEM_NAMESPACE}/serviceaccounts`, {
      apiVersion: "v1",
      kind: "ServiceAccount",
      metadata: { name: "clusternet-controller-manager" },
    });
    const subject = { kind: "ServiceAccount", name: "clusternet-controller-manager", namespace: SYSTEM_NAMESPACE };
    await allow(bed.parent.admin, { name: "push", subject, rules: socketsProxyRules });
    const token = await tokenOf(bed.parent.admin, "clusternet-controller-manager");
    const { status, body } = await send(`${bed.proxyUrl}/version`, { headers: { authorization: `Bearer ${token}` } });
    expect({ status, body }).toMatchObject({ status: 403, body: expect.stringContaining("--allow-push") });
  });
});

describe("a Status says what is wrong", () => {
  const cases = [
    {
      it: "no right to use the tunnel",
      url: () => bed.hubUrl + socketProxyPath(bed.clusterId),
      user: "nobody",
      code: 403,
      says: /User \\?"nobody\\?" cannot get resource.*parent's RBAC/,
    },
    {
      it: "a form that reaches any host",
      url: () => `${bed.proxyUrl.replace("/direct", "/http")}/10.0.0.1/x`,
      user: "ana",
      code: 403,
      says: /not available; use proxy\/direct/,
    },
    {
      it: "no such form",
      url: () => bed.proxyUrl.replace("/direct", "/teleport"),
      user: "ana",
      code: 404,
      says: /Expected sockets\/<id>\/proxy\/direct/,
    },
    {
      it: "a cluster that never attached",
      url: () => bed.hubUrl + socketProxyPath("unknown-id"),
      user: "ana",
      code: 503,
      says: /its agent is disconnected from the hub and was never seen/,
    },
    {
      it: "an escaped id",
      url: () => `${bed.hubUrl}/apis/proxies.clusternet.io/v1alpha1/sockets/a%2Fb/proxy/direct`,
      user: "ana",
      code: 400,
      says: /not a plain name/,
    },
    {
      it: "an unknown path",
      url: () => `${bed.hubUrl}/apis/proxies.clusternet.io/v1alpha1/tunnels`,
      user: "ana",
      code: 403,
      says: /tunnels/,
    },
  ];
  test.each(cases)("$it", async ({ url, user, code, says }) => {
    const { status, body, headers } = await send(url(), await as(user));
    expect({ status, body }).toMatchObject({ status: code, body: expect.stringMatching(says) });
    expect(JSON.parse(body)).toMatchObject({ kind: "Status", apiVersion: "v1", status: "Failure", code });
    expect(headers["content-type"]).toMatch(/^application\/json/);
  });

  test("an agent that is away, and since when", async () => {
    await bed.stopAgent();
    const { status, body, headers } = await send(`${bed.proxyUrl}/version`, await as("ana"));
    expect({ status, body }).toMatchObject({
      status: 503,
      body: expect.stringMatching(/agent is disconnected.*last seen \d+ s ago/),
    });
    expect(headers["retry-after"]).toBeDefined();
    await bed.startAgent();
    expect((await send(`${bed.proxyUrl}/version`, await as("ana"))).status).toBe(200);
  });

  test("a child whose API server is down", async () => {
    await bed.child.stopApiserver();
    const { status, body } = await send(`${bed.proxyUrl}/version`, await as("ana"));
    await bed.child.startApiserver();
    expect({ status, body }).toMatchObject({
      status: 503,
      body: expect.stringMatching(/agent cannot reach the cluster's API server/),
    });
  });
});

describe("requests and answers keep their bytes", () => {
  test("path and query, straight to the hub", async () => {
    const path = `${socketProxyPath(bed.clusterId)}/api/v1/namespaces/default/configmaps/a%2Fb?x=%2F&x=a+b`;
    const { status, body } = await send(bed.hubUrl + path, await as("ana"));
    expect({ status, body }).toMatchObject({ status: 403, body: expect.stringContaining("User") });
    expect(bed.accessLog.some((line) => String(line["path"]).endsWith("configmaps/a%2Fb"))).toBe(true);
  });

  test("an answer of several megabytes and a body of one", async () => {
    const text = randomUUID().repeat(25_000);
    const object = { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "large" }, data: { text } };
    const rules = [{ apiGroups: [""], resources: ["configmaps"], verbs: ["*"] }];
    await allow(bed.child.admin, { name: "ana-maps", subject: { kind: "User", name: "ana", apiGroup: rbac }, rules });
    const body = JSON.stringify(object);
    const headers = { "content-type": "application/json" };
    expect((await send(bed.proxyUrl + configMaps, { ...(await as("ana")), method: "POST", headers, body })).status).toBe(201);
    for (const name of ["large-2", "large-3", "large-4"])
      await bed.child.admin.create(configMaps, { ...object, metadata: { name } });
    const through = await send(bed.proxyUrl + configMaps, await as("ana"));
    const { items } = JSON.parse(through.body) as { items: { data?: { text: string } }[] };
    expect(items.filter((item) => item.data?.text === text)).toHaveLength(4);
  });

  test("one request id in the hub's log and the child's answer", async () => {
    const id = randomUUID();
    const { headers } = await send(`${bed.hubUrl}${socketProxyPath(bed.clusterId)}/version`, {
      ...(await as("ana")),
      headers: { "x-request-id": id },
    });
    expect(headers["audit-id"]).toBe(id);
    await eventually("the hub logs it", () =>
      bed.accessLog.some((line) => line["event"] === "request.served" && line["requestId"] === id),
    );
  });
});

describe("the API's documents", () => {
  test("kubectl's discovery finds sockets", async () => {
    const response = await bed.parent.admin.request({ method: "GET", path: "/apis/proxies.clusternet.io/v1alpha1" });
    expect(JSON.parse(response.text)).toMatchObject({
      resources: [{ name: "sockets" }, { name: "sockets/proxy" }, { name: "sockets/attach" }],
    });
    await eventually("OpenAPI v3 has the group", async () => {
      const { status } = await bed.parent.admin.request({
        method: "GET",
        path: "/openapi/v3/apis/proxies.clusternet.io/v1alpha1",
      });
      return status === 200;
    });
  });

  test("anonymous callers get health and version, nothing else", async () => {
    for (const path of ["/livez", "/readyz", "/healthz", "/version"])
      expect(await send(bed.hubUrl + path)).toMatchObject({ status: 200 });
    for (const path of ["/apis", "/openapi/v2", "/metrics", "/"])
      expect(await send(bed.hubUrl + path)).toMatchObject({ status: 401 });
  });
});

describe("caBundle", () => {
  const path = `/apis/apiregistration.k8s.io/v1/apiservices/${apiServices.proxies}`;
  interface Service {
    readonly metadata: {
      readonly resourceVersion: string;
      readonly managedFields: { readonly manager: string; readonly fieldsV1: object }[];
    };
    readonly spec: { readonly caBundle?: string };
  }

  test("is put back when somebody changes it, and the hub owns nothing else", async () => {
    const before = await bed.parent.admin.get<Service>(path);
    await bed.parent.admin.patch(path, { spec: { caBundle: Buffer.from(bed.parent.caPem).toString("base64") } });
    const after = await eventually("it is put back", async () => {
      const now = await bed.parent.admin.get<Service>(path);
      return now?.spec.caBundle === before?.spec.caBundle ? now : undefined;
    });
    const owned = after.metadata.managedFields.find(({ manager }) => manager === "clusternet-hub");
    expect(owned?.fieldsV1).toEqual({ "f:spec": { "f:caBundle": {} } });
  });
});

describe("500 idle tunnels", () => {
  test("hold no flow-control seat of the parent", async () => {
    const seats = async (): Promise<number> => {
      const { text } = await bed.parent.admin.request({ method: "GET", path: "/metrics" });
      const lines = text.split("\n").filter((line) => line.startsWith("apiserver_flowcontrol_current_executing_seats{"));
      return lines.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(" "))), 0);
    };
    const id = "many-tunnels";
    await attachRole(bed.parent.admin, id);
    await bed.stopHub();
    await bed.startHub(["--max-sessions-per-cluster=64"]);
    const token = await tokenOf(bed.parent.admin, "clusternet-agent");
    const url = `${bed.parent.server.replace("https", "wss")}${socketAttachPath(id)}`;
    const controller = new AbortController();
    const sessions: Session[] = [];
    const ids = [id];
    for (let index = 1; index < 10; index += 1) {
      ids.push(`${id}-${String(index)}`);
      await attachRole(bed.parent.admin, `${id}-${String(index)}`);
    }
    const runs: Promise<unknown>[] = [];
    for (let index = 0; index < 500; index += 20) {
      await Promise.all(
        Array.from({ length: 20 }, async (_, offset) => {
          const name = ids[(index + offset) % ids.length] ?? id;
          const transport = await dialWebSocket(
            { url: url.replace(id, name), headers: { authorization: `Bearer ${token}` }, caPem: bed.parent.caPem },
            controller.signal,
          );
          const session = createSession(transport, { role: "agent", clock: realClock });
          runs.push(session.run(controller.signal));
          await session.ready;
          sessions.push(session);
        }),
      );
    }
    await eventually("all are open and no seat is held", async () => {
      expect(sessions.filter(({ state }) => state === "open")).toHaveLength(500);
      // The request for the metrics holds one.
      return (await seats()) <= 1;
    });
    await using ana = await connectApiClient(await bed.parent.kubeconfigFor({ user: "ana" }));
    await ana.request({ method: "GET", path: "/version" });
    controller.abort(new Error("The test is over"));
    await Promise.allSettled(runs);
  }, 120_000);
});
