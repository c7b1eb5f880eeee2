// A child joins a parent, on a real API server: with a bootstrap token, with an account's token, and by hand.
import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { ClusterRegistrationRequest } from "#api/clusters/v1beta1/cluster-registration-request.ts";
import { ManagedCluster } from "#api/clusters/v1beta1/managed-cluster.ts";
import { managedClusterName, registrationRequestName } from "#api/clusters/v1beta1/cluster-name.ts";
import { annotations, labels, roles } from "#api/names.ts";
import { ClusterRole, ConfigMap, Namespace, Role, ServiceAccount } from "#kube/builtin-kinds.ts";
import { isConditionTrue } from "#kube/conditions.ts";
import { realClock } from "#std/clock.ts";
import { eventually } from "#test/framework/eventually.ts";
import type { RequestCounter } from "#test/framework/request-counter.ts";
import { startAgent } from "#test/scenarios/registration-agent.ts";
import {
  announceChild,
  approveByHand,
  startRegistrationParent,
  SYSTEM,
  type RegistrationParent,
  type TestChild,
} from "#test/scenarios/registration-fixture.ts";

let parent: RegistrationParent;
let requests: RequestCounter;
beforeAll(async () => {
  parent = await startRegistrationParent();
  requests = await parent.runControllers();
});
afterAll(async () => {
  await parent[Symbol.asyncDispose]();
});

const readyCluster = (child: TestChild): Promise<ManagedCluster> =>
  eventually("the cluster is Ready", async () => {
    const found = await parent.cluster(child.onParent);
    return isConditionTrue(found?.status?.conditions, "Ready") ? found : undefined;
  });

describe("a child that a program announced", () => {
  test("joins with its bootstrap token, and is Ready with a full status", async () => {
    const child = await announceChild(parent, { name: "paris", clusterLabels: { env: "prod" } });
    const argv = ["--cluster-reg-name=paris", "--cluster-labels=env=prod"];
    await using agent = await startAgent(parent, { child, home: "paris-agent", argv });
    expect(await agent.joined).toMatchObject({ namespace: "home-of-paris", clusterName: "paris", clusterId: child.clusterId });
    const cluster = await readyCluster(child);
    expect(cluster.metadata.labels).toMatchObject({
      env: "prod",
      [labels.clusterId]: child.clusterId,
      [labels.clusterName]: "paris",
    });
    expect(cluster.spec).toMatchObject({ clusterId: child.clusterId, clusterType: "StandardCluster", syncMode: "Pull" });
    expect(cluster.status).toMatchObject({
      k8sVersion: expect.stringMatching(/^v1\./),
      platform: expect.stringMatching(/^linux\//),
      healthz: true,
      livez: true,
      readyz: true,
      heartbeatFrequencySeconds: 1,
      nodeStatistics: { readyNodes: 0, notReadyNodes: 0, unknownNodes: 0, lostNodes: 0 },
    });
    const namespace = await parent.admin.get(Namespace, { name: "home-of-paris" }, parent.signal);
    expect(namespace?.metadata.labels).not.toHaveProperty([labels.clusterId]);
  });

  test("costs the parent's controllers nothing once it is settled, also after their restart", async () => {
    const child = await announceChild(parent, { name: "settled" });
    await using agent = await startAgent(parent, { child, home: "settled-agent" });
    await agent.joined;
    await readyCluster(child);
    await eventually("it has reported", () => agent.reports() >= 2);
    requests = await parent.runControllers();
    await eventually("the controllers lead", () => requests.count({ verb: "watch" }) >= 11);
    const before = agent.reports();
    await eventually("it goes on reporting", () => agent.reports() >= before + 3);
    requests.expectNoWrites({ except: ["events"] });
    expect(requests.count({ verb: "get" })).toBe(0);
  });

  test("gets back what someone took from it", async () => {
    const child = await announceChild(parent, { name: "healed" });
    await using agent = await startAgent(parent, { child, home: "healed-agent" });
    await agent.joined;
    const role = { namespace: "home-of-healed", name: roles.child };
    const clusterRole = { name: `clusternet-${child.clusterId}` };
    await parent.admin.delete(Role, role, {}, parent.signal);
    await parent.admin.patch(ClusterRole, clusterRole, { type: "merge", body: { rules: [] } }, parent.signal);
    await eventually("the Role is back", () => parent.admin.get(Role, role, parent.signal));
    await eventually(
      "the ClusterRole is right again",
      async () => (await parent.admin.get(ClusterRole, clusterRole, parent.signal))?.rules?.length === 2,
    );
  });

  test("follows its grant: labels that the program changes arrive, those of others stay", async () => {
    const child = await announceChild(parent, { name: "labelled", clusterLabels: { env: "prod", tier: "edge" } });
    await using agent = await startAgent(parent, { child, home: "labelled-agent", argv: ["--cluster-labels=env=prod"] });
    await agent.joined;
    const key = { namespace: "home-of-labelled", name: "labelled" };
    await parent.admin.patch(
      ManagedCluster,
      key,
      { type: "merge", body: { metadata: { labels: { mine: "stays" } } } },
      parent.signal,
    );
    const grant = { namespace: SYSTEM, name: "clusternet-join-labelled" };
    const data = { clusterLabels: JSON.stringify({ env: "test", [labels.clusterId]: "forged" }) };
    await parent.admin.patch(ConfigMap, grant, { type: "merge", body: { data } }, parent.signal);
    const changed = await eventually("the label changed", async () => {
      const found = await parent.cluster(child.onParent);
      return found?.metadata.labels?.["env"] === "test" ? found : undefined;
    });
    expect(changed.metadata.labels).toEqual({
      env: "test",
      mine: "stays",
      "clusternet.io/created-by": "clusternet-agent",
      [labels.clusterId]: child.clusterId,
      [labels.clusterName]: "labelled",
    });
    expect((await parent.request(registrationRequestName(child.clusterId)))?.status?.result).toBe("Approved");
  });

  test("may have a name that is too long: it gets a short one, and the long one is kept", async () => {
    const name = "a-workload-cluster-with-a-long-name-of-cluster-api";
    const child = await announceChild(parent, { name });
    await using agent = await startAgent(parent, { child, home: "long-agent", argv: [`--cluster-reg-name=${name}`] });
    const identity = await agent.joined;
    expect(identity.clusterName).toBe(managedClusterName(name));
    const cluster = await parent.cluster({ clusterName: identity.clusterName, clusterNamespace: identity.namespace });
    expect(cluster?.metadata.annotations?.[annotations.originalName]).toBe(name);
  });

  test("joins though its clock is three days ahead, and is not taken for silent", async () => {
    const ahead = { ...realClock, now: () => Date.now() + 3 * 86_400_000 };
    const child = await announceChild(parent, { name: "ahead" });
    await using agent = await startAgent(parent, { child, home: "ahead-agent", clock: ahead });
    await agent.joined;
    const cluster = await readyCluster(child);
    expect(Date.parse(cluster.status?.lastObservedTime ?? "")).toBeGreaterThan(Date.now() + 86_400_000);
    expect(cluster.spec.taints ?? []).toEqual([]);
  });
});

test("a child joins with a ServiceAccount's token, where a grant names the account", async () => {
  const account = { namespace: SYSTEM, name: "cluster-bootstrap-use" };
  await parent.admin.create(ServiceAccount, { apiVersion: "v1", kind: "ServiceAccount", metadata: account }, parent.signal);
  const { token } = await parent.admin.createToken(account, { expirationSeconds: 600 }, parent.signal);
  const grant = {
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: { name: "join-by-account", namespace: SYSTEM, labels: { [labels.joinGrant]: "true" } },
    data: { username: `system:serviceaccount:${SYSTEM}:cluster-bootstrap-use`, clusterName: "oslo", clusterLabels: "{}" },
  };
  await parent.apply([grant]);
  const child = { ...(await announceChild(parent, { name: "unused" })), token };
  await using agent = await startAgent(parent, { child, home: "oslo-agent" });
  const identity = await agent.joined;
  expect(identity).toMatchObject({ clusterName: "oslo", namespace: expect.stringMatching(/^clusternet-[0-9a-f]{8}$/) });
  const namespace = await parent.admin.get(Namespace, { name: identity.namespace }, parent.signal);
  expect(namespace?.metadata).toMatchObject({
    labels: { "clusternet.io/created-by": "clusternet-agent", [labels.clusterId]: child.clusterId },
    annotations: { [annotations.reservedFor]: "oslo" },
  });
});

describe("by hand", () => {
  test("a child that nobody announced waits, is told how to be approved, and joins when it is", async () => {
    const announced = await announceChild(parent, { name: "bern-grant" });
    await parent.admin.delete(ConfigMap, { namespace: SYSTEM, name: "clusternet-join-bern-grant" }, {}, parent.signal);
    const child = { ...announced, clusterId: randomUUID() };
    const name = registrationRequestName(child.clusterId);
    await using agent = await startAgent(parent, { child, home: "bern-agent", argv: ["--cluster-reg-name=bern"] });
    await eventually("it is told", () => agent.said().includes(`kubectl annotate clsrr ${name} ${annotations.approved}=true`));
    expect((await parent.request(name))?.status).toMatchObject({
      errorMessage: expect.stringMatching(/No join grant names system:bootstrap:/),
    });
    expect((await parent.request(name))?.status).not.toHaveProperty("result");
    await approveByHand(parent, name);
    expect(await agent.joined).toMatchObject({ clusterName: "bern" });
  });

  test("with --auto-approve=false even an announced child waits", async () => {
    requests = await parent.runControllers({ autoApprove: false });
    const child = await announceChild(parent, { name: "rome" });
    const name = registrationRequestName(child.clusterId);
    await using agent = await startAgent(parent, { child, home: "rome-agent" });
    await eventually("it waits", async () =>
      (await parent.request(name))?.status?.conditions?.find(({ reason }) => reason === "ApprovalRequired"),
    );
    await approveByHand(parent, name);
    expect(await agent.joined).toMatchObject({ clusterName: "rome" });
    requests = await parent.runControllers();
  });
});

test("the token travels sealed: no status, Event or other object that a viewer may read holds it", async () => {
  const child = await announceChild(parent, { name: "sealed" });
  await using agent = await startAgent(parent, { child, home: "sealed-agent" });
  const { token } = await agent.joined;
  const request = await parent.request(registrationRequestName(child.clusterId));
  expect(request?.status?.sealedToken).toMatch(/^[\w-]+\.\.[\w-]+\.[\w-]+\.[\w-]+$/);
  expect(request?.status).not.toHaveProperty("token");
  const signature = token.split(".")[2] ?? "";
  for (const path of [
    "/apis/clusters.clusternet.io/v1beta1/clusterregistrationrequests",
    "/apis/clusters.clusternet.io/v1beta1/managedclusters",
    "/api/v1/configmaps",
    "/api/v1/events",
    "/api/v1/serviceaccounts",
    "/api/v1/namespaces",
    "/apis/rbac.authorization.k8s.io/v1/clusterroles",
  ]) {
    const text = JSON.stringify((await parent.admin.request({ method: "GET", path }, parent.signal)).json);
    expect(text).toContain("items");
    expect(text).not.toContain(signature);
    expect(text).not.toContain(child.token.split(".")[1]);
  }
  expect(await parent.admin.list(ClusterRegistrationRequest, {}, parent.signal)).toBeDefined();
});

test("an upstream agent is refused, unless these are served: then it gets a readable token", async () => {
  const child = await announceChild(parent, { name: "upstream" });
  const bootstrap = parent.clientWith(child.token);
  const name = registrationRequestName(child.clusterId);
  const spec = { clusterId: child.clusterId, clusterName: "upstream", clusterType: "StandardCluster", syncMode: "Pull" } as const;
  const request = { apiVersion: "clusters.clusternet.io/v1beta1", kind: "ClusterRegistrationRequest", metadata: { name }, spec };
  await bootstrap.create(ClusterRegistrationRequest, request, parent.signal);
  await eventually("it is refused", async () =>
    (await parent.request(name))?.status?.errorMessage?.includes("--upstream-agents"),
  );
  requests = await parent.runControllers({ upstreamAgents: true });
  await eventually("it waits for a person: it does not say who made it", async () =>
    (await parent.request(name))?.status?.errorMessage?.includes("does not say who"),
  );
  await approveByHand(parent, name);
  const approved = await eventually("it is approved", async () => {
    const found = await parent.request(name);
    return found?.status?.result === "Approved" ? found : undefined;
  });
  const token = Buffer.from(approved.status?.token ?? "", "base64").toString();
  const { namespace, clusterName } = { namespace: approved.status?.dedicatedNamespace ?? "", clusterName: "upstream" };
  expect(await parent.clientWith(token).get(ManagedCluster, { namespace, name: clusterName }, parent.signal)).toBeDefined();
  expect(Buffer.from(approved.status?.caCertificate ?? "", "base64").toString()).toContain("BEGIN CERTIFICATE");
  requests = await parent.runControllers();
});
