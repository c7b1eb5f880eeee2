// A cluster that falls silent is marked, and comes back; only marks of ours are ever removed. On a real API server.
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { ManagedCluster } from "#api/clusters/v1beta1/managed-cluster.ts";
import { taints } from "#api/names.ts";
import { findCondition } from "#kube/conditions.ts";
import { eventually } from "#test/framework/eventually.ts";
import { startAgent } from "#test/scenarios/registration-agent.ts";
import {
  announceChild,
  startRegistrationParent,
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

const readyIs = (child: TestChild, status: string): Promise<ManagedCluster> =>
  eventually(
    `Ready is ${status}`,
    async () => {
      const cluster = await parent.cluster(child.onParent);
      return findCondition(cluster?.status?.conditions, "Ready")?.status === status ? cluster : undefined;
    },
    { timeoutMs: 40_000 },
  );

test("a silent cluster becomes Unknown and unschedulable, nothing of it is removed, and its next report undoes that", async () => {
  const child = await announceChild(parent, { name: "quiet" });
  const key = { namespace: "home-of-quiet", name: "quiet" };
  const first = await startAgent(parent, { child, home: "quiet-agent" });
  const { token } = await first.joined;
  const before = await readyIs(child, "True");
  const theirs = { key: "maintenance", value: "tonight", effect: "NoSchedule" };
  await parent.admin.patch(ManagedCluster, key, { type: "merge", body: { spec: { taints: [theirs] } } }, parent.signal);

  await first[Symbol.asyncDispose]();
  await readyIs(child, "Unknown");
  const marked = await eventually("it is tainted", async () => {
    const cluster = await parent.cluster(child.onParent);
    return (cluster?.spec.taints?.length ?? 0) > 2 ? cluster : undefined;
  });
  expect(findCondition(marked.status?.conditions, "Ready")).toMatchObject({ reason: "ClusterStatusUnknown" });
  expect(marked.spec.taints).toEqual([
    theirs,
    { key: taints.unschedulable, value: "ClusterStatusUnknown", effect: "NoSchedule" },
    { key: taints.unschedulable, value: "ClusterStatusUnknown", effect: "NoExecute", timeAdded: expect.any(String) },
  ]);
  expect(marked.status).toMatchObject({ healthz: false, livez: false, readyz: false });
  expect(marked.metadata.uid).toBe(before.metadata.uid);

  // A restart of the controllers assumes nothing, and writes nothing.
  const requests = await parent.runControllers();
  await eventually("they lead", () => requests.count({ verb: "watch" }) >= 11);
  await new Promise((resolve) => {
    setTimeout(resolve, 1_500);
  });
  requests.expectNoWrites({ except: ["events"] });

  // Its token still works: silence took nothing away.
  expect(await parent.clientWith(token).get(ManagedCluster, key, parent.signal)).toBeDefined();
  await using second = await startAgent(parent, { child, home: "quiet-agent" });
  await second.joined;
  await readyIs(child, "True");
  const after = await eventually("the taint is gone, theirs stays", async () => {
    const cluster = await parent.cluster(child.onParent);
    return cluster?.spec.taints?.length === 1 ? cluster : undefined;
  });
  expect(after.spec.taints).toEqual([theirs]);
});

test("a cluster whose agent never reported is said to be so", async () => {
  const child = await announceChild(parent, { name: "never" });
  const agent = await startAgent(parent, { child, home: "never-agent" });
  await agent.joined;
  await agent[Symbol.asyncDispose]();
  await parent.stopControllers();
  const key = { namespace: "home-of-never", name: "never" };
  const empty = { status: { conditions: null, lastObservedTime: null, heartbeatFrequencySeconds: 1 } };
  await parent.admin.patch(ManagedCluster, key, { type: "merge", subresource: "status", body: empty }, parent.signal);
  await parent.runControllers();
  const cluster = await readyIs(child, "Unknown");
  expect(findCondition(cluster.status?.conditions, "Ready")).toMatchObject({ reason: "ClusterStatusNeverUpdated" });
});
