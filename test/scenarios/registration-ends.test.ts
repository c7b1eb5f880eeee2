// A cluster is deregistered by deleting its grant or its ManagedCluster, and by nothing else. On a real API server.
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { Base } from "#api/apps/v1alpha1/base.ts";
import { Description } from "#api/apps/v1alpha1/description.ts";
import { ClusterRegistrationRequest } from "#api/clusters/v1beta1/cluster-registration-request.ts";
import { ManagedCluster } from "#api/clusters/v1beta1/managed-cluster.ts";
import { registrationRequestName } from "#api/clusters/v1beta1/cluster-name.ts";
import { finalizers, roles, serviceAccounts } from "#api/names.ts";
import type { KubeObject } from "#api/meta.ts";
import {
  ClusterRole,
  ClusterRoleBinding,
  ConfigMap,
  Event,
  Namespace,
  Role,
  RoleBinding,
  ServiceAccount,
} from "#kube/builtin-kinds.ts";
import { findCondition } from "#kube/conditions.ts";
import { eventually } from "#test/framework/eventually.ts";
import { startAgent } from "#test/scenarios/registration-agent.ts";
import {
  announceChild,
  approveByHand,
  deleteGrant,
  startRegistrationParent,
  SYSTEM,
  type RegistrationParent,
  type TestChild,
} from "#test/scenarios/registration-fixture.ts";

let parent: RegistrationParent;
beforeAll(async () => {
  parent = await startRegistrationParent();
  await parent.runControllers();
});
afterAll(async () => {
  await parent[Symbol.asyncDispose]();
});

/** What is there of a child on the parent. */
async function traces({
  clusterId,
  onParent: { clusterName: name, clusterNamespace: namespace },
}: TestChild): Promise<readonly string[]> {
  const own = { namespace, name: roles.child };
  const wide = { name: `clusternet-${clusterId}` };
  const { admin, signal } = parent;
  const found: Readonly<Record<string, KubeObject | undefined>> = {
    cluster: await admin.get(ManagedCluster, { namespace, name }, signal),
    account: await admin.get(ServiceAccount, { namespace, name: serviceAccounts.agent }, signal),
    role: await admin.get(Role, own, signal),
    roleBinding: await admin.get(RoleBinding, own, signal),
    clusterRole: await admin.get(ClusterRole, wide, signal),
    clusterRoleBinding: await admin.get(ClusterRoleBinding, wide, signal),
    request: await admin.get(ClusterRegistrationRequest, { name: registrationRequestName(clusterId) }, signal),
    grant: await admin.get(ConfigMap, { namespace: SYSTEM, name: `clusternet-join-${name}` }, signal),
  };
  return Object.entries(found).flatMap(([what, object]) => (object === undefined ? [] : [what]));
}

/** Something delivered, with the finalizers that hold it until the child has removed it. */
async function deliver(namespace: string): Promise<void> {
  const metadata = { name: "web.default", namespace, finalizers: [finalizers.apps] };
  await parent.admin.create(
    Base,
    { apiVersion: "apps.clusternet.io/v1alpha1", kind: "Base", metadata, spec: { feeds: [] } },
    parent.signal,
  );
  const description = {
    apiVersion: "apps.clusternet.io/v1alpha1",
    kind: "Description",
    metadata: { ...metadata, name: "web.default-generic" },
    spec: { deployer: "Generic" },
  } as const;
  await parent.admin.create(Description, description, parent.signal);
}

const ready = (child: TestChild, status: string): Promise<unknown> =>
  eventually(
    `Ready is ${status}`,
    async () => findCondition((await parent.cluster(child.onParent))?.status?.conditions, "Ready")?.status === status,
    { timeoutMs: 40_000 },
  );

const letGo = (type: typeof Base | typeof Description, namespace: string, name: string): Promise<KubeObject> =>
  parent.admin.patch<KubeObject>(
    type,
    { namespace, name },
    { type: "merge", body: { metadata: { finalizers: [] } } },
    parent.signal,
  );

describe("a deleted grant", () => {
  test("removes everything of its child, once the child has removed what was delivered; the program's namespace stays", async () => {
    const child = await announceChild(parent, { name: "leaver" });
    await using agent = await startAgent(parent, { child, home: "leaver-agent" });
    const { token } = await agent.joined;
    await ready(child, "True");
    await deliver("home-of-leaver");
    await deleteGrant(parent, child);
    await eventually("what was delivered is withdrawn", async () => {
      const base = await parent.admin.get(Base, { namespace: "home-of-leaver", name: "web.default" }, parent.signal);
      const description = await parent.admin.get(
        Description,
        { namespace: "home-of-leaver", name: "web.default-generic" },
        parent.signal,
      );
      return base?.metadata.deletionTimestamp !== undefined && description?.metadata.deletionTimestamp !== undefined;
    });
    // The child is alive: it is waited for, and may still say that it is done.
    await new Promise((resolve) => {
      setTimeout(resolve, 1_000);
    });
    expect(await traces(child)).toEqual([
      "cluster",
      "account",
      "role",
      "roleBinding",
      "clusterRole",
      "clusterRoleBinding",
      "request",
      "grant",
    ]);
    expect(
      await parent.clientWith(token).get(ManagedCluster, { namespace: "home-of-leaver", name: "leaver" }, parent.signal),
    ).toBeDefined();
    await letGo(Description, "home-of-leaver", "web.default-generic");
    await letGo(Base, "home-of-leaver", "web.default");
    await eventually("nothing is left", async () => (await traces(child)).length === 0);
    expect((await parent.admin.get(Namespace, { name: "home-of-leaver" }, parent.signal))?.status?.phase).toBe("Active");
    await eventually("the agent has noticed", () => agent.losses.length > 0);
  });

  test("removes a silent child, too: what is in the child stays there, and an Event says so", async () => {
    const child = await announceChild(parent, { name: "silent" });
    const agent = await startAgent(parent, { child, home: "silent-agent" });
    await agent.joined;
    await ready(child, "True");
    await deliver("home-of-silent");
    await agent[Symbol.asyncDispose]();
    await ready(child, "Unknown");
    // Silence alone deleted nothing.
    expect(
      await parent.admin.get(Description, { namespace: "home-of-silent", name: "web.default-generic" }, parent.signal),
    ).toBeDefined();
    await deleteGrant(parent, child);
    await eventually("nothing is left", async () => (await traces(child)).length === 0);
    const event = await eventually("an Event says what was left", async () => {
      const { items } = await parent.admin.list(Event, { namespace: SYSTEM }, parent.signal);
      return items.find(
        ({ reason, involvedObject }) => reason === "ObjectsLeftInChild" && involvedObject.name === "clusternet-join-silent",
      );
    });
    expect(event.message).toMatch(/could not be reached.*stays there: web\.default-generic/);
  });

  test("that nobody used goes at once", async () => {
    const child = await announceChild(parent, { name: "unused" });
    await deleteGrant(parent, child);
    await eventually("it is gone", async () => (await traces(child)).length === 0);
  });

  test("takes a waiting request with it", async () => {
    await parent.runControllers({ autoApprove: false });
    const child = await announceChild(parent, { name: "waiting" });
    await using agent = await startAgent(parent, { child, home: "waiting-agent" });
    await eventually("it waits", () => agent.said().includes("approve this"));
    await agent[Symbol.asyncDispose]();
    await deleteGrant(parent, child);
    await eventually("both are gone", async () => (await traces(child)).length === 0);
    await parent.runControllers();
  });
});

describe("a deleted ManagedCluster", () => {
  test("ends the registration: the token dies, the agent does not come back by itself, and may after its request is deleted", async () => {
    const child = await announceChild(parent, { name: "sacked" });
    await using agent = await startAgent(parent, { child, home: "sacked-agent" });
    await agent.joined;
    await ready(child, "True");
    const key = { namespace: "home-of-sacked", name: "sacked" };
    await parent.admin.delete(ManagedCluster, key, {}, parent.signal);
    await eventually(
      "only the grant and the denied request are left",
      async () => (await traces(child)).join() === "request,grant",
    );
    await eventually("the agent says why", () => agent.said().includes("deregistered"));
    await new Promise((resolve) => {
      setTimeout(resolve, 3_000);
    });
    expect(await traces(child)).toEqual(["request", "grant"]);
    const name = registrationRequestName(child.clusterId);
    expect((await parent.request(name))?.status).toMatchObject({
      result: "Denied",
      errorMessage: expect.stringContaining(`kubectl delete clsrr ${name}`),
    });
    await parent.admin.delete(ClusterRegistrationRequest, { name }, {}, parent.signal);
    await ready(child, "True");
  });

  test("leaves a denied request, which goes with the grant", async () => {
    const child = await announceChild(parent, { name: "dismissed" });
    await using agent = await startAgent(parent, { child, home: "dismissed-agent" });
    await agent.joined;
    await ready(child, "True");
    await agent[Symbol.asyncDispose]();
    await parent.admin.delete(ManagedCluster, { namespace: "home-of-dismissed", name: "dismissed" }, {}, parent.signal);
    await eventually("the request is left, denied", async () => (await traces(child)).join() === "request,grant");
    await deleteGrant(parent, child);
    await eventually("nothing is left", async () => (await traces(child)).length === 0);
  });

  test("takes a namespace that was made for it along", async () => {
    const announced = await announceChild(parent, { name: "temporary-grant" });
    await parent.admin.delete(ConfigMap, { namespace: SYSTEM, name: "clusternet-join-temporary-grant" }, {}, parent.signal);
    const agent = await startAgent(parent, { child: announced, home: "temporary-agent", argv: ["--cluster-reg-name=temporary"] });
    await eventually("it waits", () => agent.said().includes("kubectl annotate"));
    await approveByHand(parent, registrationRequestName(announced.clusterId));
    const { namespace } = await agent.joined;
    await agent[Symbol.asyncDispose]();
    await parent.admin.delete(ManagedCluster, { namespace, name: "temporary" }, {}, parent.signal);
    await eventually(
      "the namespace is gone",
      async () => (await parent.admin.get(Namespace, { name: namespace }, parent.signal)) === undefined,
      { timeoutMs: 60_000 },
    );
  });
});
