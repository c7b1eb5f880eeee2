// Agents that come back, and agents that are not who they say: on a real API server.
import { createSealingKeys, openSealedText, publicKeyOf, keyFingerprint } from "#std/sealed-text.ts";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { ManagedCluster } from "#api/clusters/v1beta1/managed-cluster.ts";
import { registrationRequestName } from "#api/clusters/v1beta1/cluster-name.ts";
import { secretKeys, secretNames, serviceAccounts } from "#api/names.ts";
import { Secret, ServiceAccount } from "#kube/builtin-kinds.ts";
import { findCondition } from "#kube/conditions.ts";
import { realClock } from "#std/clock.ts";
import { eventually } from "#test/framework/eventually.ts";
import { startAgent } from "#test/scenarios/registration-agent.ts";
import {
  announceChild,
  approveByHand,
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

const works = (token: string, child: TestChild): Promise<boolean> =>
  parent
    .clientWith(token)
    .get(ManagedCluster, { namespace: child.onParent.clusterNamespace, name: child.onParent.clusterName }, parent.signal)
    .then(
      (found) => found !== undefined,
      () => false,
    );

const deleteSecret = (home: string): Promise<boolean> =>
  parent.admin.delete(Secret, { namespace: home, name: secretNames.parentCluster }, {}, parent.signal);

const secretName = (home: string): { namespace: string; name: string } => ({ namespace: home, name: secretNames.parentCluster });

async function replaceToken(home: string, token: string): Promise<void> {
  const body = { data: { [secretKeys.token]: Buffer.from(token).toString("base64") } };
  await parent.admin.patch(Secret, secretName(home), { type: "merge", body }, parent.signal);
}

const accountOf = async (child: TestChild): Promise<{ namespace: string; name: string; uid: string }> => {
  const key = { namespace: child.onParent.clusterNamespace, name: serviceAccounts.agent };
  const account = await eventually("the account exists", () => parent.admin.get(ServiceAccount, key, parent.signal));
  return { ...key, uid: account.metadata.uid ?? "" };
};

test("an agent that restarts goes on with what it has: no new request, the same token", async () => {
  const child = await announceChild(parent, { name: "restarts" });
  const first = await startAgent(parent, { child, home: "restarts-agent" });
  const before = await first.joined;
  await first[Symbol.asyncDispose]();
  const uid = (await parent.request(registrationRequestName(child.clusterId)))?.metadata.uid;
  await using second = await startAgent(parent, { child, home: "restarts-agent" });
  expect((await second.joined).token).toBe(before.token);
  expect((await parent.request(registrationRequestName(child.clusterId)))?.metadata.uid).toBe(uid);
});

test("an agent that was installed anew, with another key, keeps its ManagedCluster once an administrator agrees; the old token dies", async () => {
  const child = await announceChild(parent, { name: "again" });
  const first = await startAgent(parent, { child, home: "again-agent" });
  const before = await first.joined;
  const uid = (await parent.cluster(child.onParent))?.metadata.uid;
  await first[Symbol.asyncDispose]();
  await deleteSecret("again-agent");

  await using second = await startAgent(parent, { child, home: "again-agent" });
  await eventually("it is told to ask an administrator", () => second.said().includes("installed anew"));
  expect(await works(before.token, child)).toBe(true);
  const { privateKey } = await second.store.load(parent.signal);
  const name = registrationRequestName(child.clusterId, keyFingerprint(publicKeyOf(privateKey)));
  expect((await parent.request(name))?.status?.errorMessage).toMatch(/two clusters have one id/);

  await approveByHand(parent, name);
  const after = await second.joined;
  expect(await works(after.token, child)).toBe(true);
  await eventually("the old token is dead", async () => !(await works(before.token, child)));
  expect((await parent.cluster(child.onParent))?.metadata.uid).toBe(uid);
  await eventually("the old request is superseded", async () => {
    const status = (await parent.request(registrationRequestName(child.clusterId)))?.status;
    return status?.result === "Denied" && findCondition(status.conditions, "Approved")?.reason === "Superseded";
  });
});

test("of two agents with one id the first stays, the second waits, and both are told", async () => {
  const child = await announceChild(parent, { name: "twins" });
  await using first = await startAgent(parent, { child, home: "twin-one" });
  await first.joined;
  await using second = await startAgent(parent, { child, home: "twin-two" });
  await eventually("the second is told", () => second.said().includes("two clusters have one id"));
  const reported = first.reports();
  await eventually("the first goes on", () => first.reports() > reported + 1);
  expect(first.losses).toEqual([]);
});

describe("a token", () => {
  test("that was stolen dies with the account, at once; the agent finds a new one by itself", async () => {
    const child = await announceChild(parent, { name: "stolen" });
    await using agent = await startAgent(parent, { child, home: "stolen-agent" });
    const { token: stolen } = await agent.joined;
    expect(await works(stolen, child)).toBe(true);
    const { namespace, name } = await accountOf(child);
    await parent.admin.delete(ServiceAccount, { namespace, name }, {}, parent.signal);
    // kube-apiserver remembers a good token for ten seconds at most.
    await eventually("the stolen token is dead", async () => !(await works(stolen, child)), { intervalMs: 20 });
    await eventually("the agent is back with another token", async () => {
      const { identity } = await agent.store.load(parent.signal);
      return identity !== undefined && identity.token !== stolen && (await works(identity.token, child));
    });
    expect(agent.losses.join()).toMatch(/does not accept our token/);
  });

  test("that expired while the agent was away for two days is replaced by the one that waits in its request", async () => {
    const child = await announceChild(parent, { name: "away" });
    const first = await startAgent(parent, { child, home: "away-agent" });
    await first.joined;
    await eventually("it has reported", () => first.reports() > 0);
    const name = registrationRequestName(child.clusterId);
    const sealedBefore = (await parent.request(name))?.status?.sealedToken;
    await first[Symbol.asyncDispose]();
    await replaceToken("away-agent", await parent.expiredToken(await accountOf(child)));
    await eventually(
      "its silence is noticed",
      async () => findCondition((await parent.cluster(child.onParent))?.status?.conditions, "Ready")?.status === "Unknown",
      { timeoutMs: 40_000 },
    );
    // Two days pass on the parent.
    await parent.runControllers({ clock: { ...realClock, now: () => Date.now() + 48 * 3_600_000 } });
    const sealed = await eventually("a young token waits for it", async () => {
      const found = (await parent.request(name))?.status?.sealedToken;
      return found === sealedBefore ? undefined : found;
    });
    await using second = await startAgent(parent, { child, home: "away-agent" });
    const identity = await second.joined;
    const { privateKey } = await second.store.load(parent.signal);
    expect(identity.token).toBe(await openSealedText(sealed, privateKey));
    expect(await works(identity.token, child)).toBe(true);
    await eventually(
      "it is Ready again",
      async () => findCondition((await parent.cluster(child.onParent))?.status?.conditions, "Ready")?.status === "True",
    );
    await parent.runControllers();
  });

  test("is of no use to another key", async () => {
    const child = await announceChild(parent, { name: "sealed-for-one" });
    await using agent = await startAgent(parent, { child, home: "sealed-for-one-agent" });
    await agent.joined;
    const sealed = (await parent.request(registrationRequestName(child.clusterId)))?.status?.sealedToken ?? "";
    await expect(openSealedText(sealed, (await createSealingKeys()).privateKey)).rejects.toThrow();
  });

  test("is renewed by the agent itself at half of its life, and the new one is what it keeps", async () => {
    const child = await announceChild(parent, { name: "renews" });
    const first = await startAgent(parent, { child, home: "renews-agent" });
    const before = await first.joined;
    await first[Symbol.asyncDispose]();
    // It was away for thirteen of its twenty-four hours.
    const later = { ...realClock, now: () => Date.now() + 13 * 3_600_000 };
    await using second = await startAgent(parent, { child, home: "renews-agent", clock: later });
    expect((await second.joined).token).toBe(before.token);
    const renewed = await eventually("a new token is stored", async () => {
      const { identity } = await second.store.load(parent.signal);
      return identity === undefined || identity.token === before.token ? undefined : identity.token;
    });
    expect(await works(renewed, child)).toBe(true);
  });
});

test("a registration token that is wrong is said to be, and is not tried in a hurry", async () => {
  const child = { ...(await announceChild(parent, { name: "wrong" })), token: "aaaaaa.0123456789abcdef" };
  await using agent = await startAgent(parent, { child, home: "wrong-agent" });
  await eventually("it says so", () => agent.said().includes("does not accept the registration token"));
  expect(await parent.cluster(child.onParent)).toBeUndefined();
});
