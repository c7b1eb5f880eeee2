// Installing our definitions works whatever is there already, and destroy does with them what it was told: the real CLI and API server.

import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "@jest/globals";
import { crdObjects } from "#install/crds.ts";
import { startControlPlane, type ControlPlane } from "#test/framework/control-plane.ts";
import { eventually } from "#test/framework/eventually.ts";
import { createPulumi, type Pulumi } from "#test/framework/pulumi.ts";

const directory = join(fileURLToPath(new URL("fixtures/", import.meta.url)), "definitions");
const DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
/** A second each on an idle machine; many on a busy one. */
const STEP_MS_MAX = 600_000;
const SUBSCRIPTIONS = `${DEFINITIONS}/subscriptions.apps.clusternet.io`;
const ours = crdObjects().map(({ metadata }) => metadata.name);
const KEEP = { env: { ON_DESTROY: "keep" } };
const DELETE = { env: { ON_DESTROY: "delete" } };

interface Definition {
  readonly metadata: { readonly name: string; readonly uid: string; readonly ownerReferences?: readonly object[] };
  readonly spec: { readonly versions: readonly { readonly additionalPrinterColumns?: readonly object[] }[] };
}

let bed: ControlPlane;
let pulumi: Pulumi;

beforeAll(async () => {
  bed = await startControlPlane({ name: "definitions" });
}, STEP_MS_MAX);
afterAll(async () => {
  await bed[Symbol.asyncDispose]();
}, STEP_MS_MAX);
beforeEach(async () => {
  pulumi = await createPulumi({ directory, env: { PARENT_KUBECONFIG: bed.adminKubeconfig } });
}, STEP_MS_MAX);
afterEach(async () => {
  await pulumi[Symbol.asyncDispose]();
  await bed.admin.delete("/apis/rbac.authorization.k8s.io/v1/clusterroles/clusternet:definitions");
  for (const name of ours) await bed.admin.delete(`${DEFINITIONS}/${name}`);
  await eventually("no definition is left", async () => (await installed()).length === 0);
}, STEP_MS_MAX);

const definition = (): Promise<Definition | undefined> => bed.admin.get<Definition>(SUBSCRIPTIONS);
const installed = async (): Promise<string[]> => {
  const list = await bed.admin.get<{ items: Definition[] }>(DEFINITIONS);
  return (list?.items ?? []).map(({ metadata }) => metadata.name).filter((name) => ours.includes(name));
};

/** As another installer would have made it, with its own manager, and an older schema. */
const makeForeignDefinition = async (): Promise<string> => {
  const any = { type: "object", "x-kubernetes-preserve-unknown-fields": true };
  const made = await bed.admin.create<Definition>(DEFINITIONS, {
    apiVersion: "apiextensions.k8s.io/v1",
    kind: "CustomResourceDefinition",
    metadata: { name: "subscriptions.apps.clusternet.io", labels: { "installed-by": "somebody" } },
    spec: {
      group: "apps.clusternet.io",
      scope: "Namespaced",
      names: { plural: "subscriptions", singular: "subscription", kind: "Subscription", listKind: "SubscriptionList" },
      versions: [{ name: "v1alpha1", served: true, storage: true, schema: { openAPIV3Schema: any } }],
    },
  });
  return made.metadata.uid;
};

test(
  "over definitions that exist: they stay the same objects, become ours, settle, and are kept on destroy",
  async () => {
    const uid = await makeForeignDefinition();
    await pulumi.up(KEEP);
    const taken = await definition();
    expect(taken?.metadata.uid).toBe(uid);
    expect(taken?.spec.versions[0]?.additionalPrinterColumns).not.toBeUndefined();
    expect((await installed()).sort()).toEqual([...ours].sort());

    await pulumi.up({ ...KEEP, expectNoChanges: true });
    await pulumi.refresh({ ...KEEP, expectNoChanges: true });

    await pulumi.destroy(KEEP);
    expect((await definition())?.metadata.uid).toBe(uid);
    expect((await installed()).sort()).toEqual([...ours].sort());
  },
  STEP_MS_MAX,
);

test(
  "onDestroy: delete removes them, even those that were there before, and destroy waits for it",
  async () => {
    await makeForeignDefinition();
    await pulumi.up(DELETE);
    expect((await definition())?.metadata.ownerReferences).toHaveLength(1);
    await pulumi.up({ ...DELETE, expectNoChanges: true });
    await pulumi.destroy(DELETE);
    expect(await installed()).toEqual([]);
  },
  STEP_MS_MAX,
);

test(
  "from delete to keep: the definitions are let go before their owner goes",
  async () => {
    await pulumi.up(DELETE);
    const uid = (await definition())?.metadata.uid;
    await pulumi.up(KEEP);
    const kept = await definition();
    expect(kept?.metadata.uid).toBe(uid);
    expect(kept?.metadata.ownerReferences ?? []).toEqual([]);
    await pulumi.destroy(KEEP);
    expect((await definition())?.metadata.uid).toBe(uid);
  },
  STEP_MS_MAX,
);
