// What `pulumi preview` says about where a Subscription would go: the scheduler's own answer, and never an error.

import { expect, test } from "@jest/globals";
import { ApiError } from "#kube/errors.ts";
import { placementPreview } from "#pulumi/components/placement-preview.ts";
import { clustersOf, type Story } from "#test/framework/scheduler-story.ts";

const ID = "8f6b5f8e-0000-4000-8000-000000000001";
const { signal } = new AbortController();
const spec = { subscribers: [{ clusterAffinity: { matchLabels: { fleet: "yes" } } }], feeds: [] };
const wanted = {
  apiVersion: "apps.clusternet.io/v1alpha1",
  kind: "Subscription",
  metadata: { namespace: "shop", name: "web" },
  spec,
};
const fleet: Story["clusters"] = {
  oslo: { labels: { fleet: "yes" } },
  paris: { labels: { fleet: "yes" }, taints: [{ key: "maintenance", effect: "NoSchedule" }] },
  rome: {},
};

const unasked = (): Promise<never> => Promise.reject(new Error("no child is asked"));

function parentWith({
  clusters = {},
  current,
  inventory,
  request,
}: {
  clusters?: Story["clusters"];
  current?: object;
  inventory?: object;
  request?: () => Promise<never>;
}) {
  const get = ({ kind }: { readonly kind: string }): Promise<never> =>
    Promise.resolve((kind === "Subscription" ? current : inventory) as never);
  const list = (): Promise<never> => Promise.resolve({ items: clustersOf({ clusters, subscription: {} }) } as never);
  return () =>
    Promise.resolve({ client: { get, list, request: request ?? unasked }, [Symbol.asyncDispose]: () => Promise.resolve() });
}

test("a new Subscription: which clusters it would be bound to", async () => {
  expect(await placementPreview(wanted, parentWith({ clusters: fleet }), signal)).toBe("Subscription shop/web: bind oslo/oslo");
});

test("a change: what would be bound and unbound, against what is", async () => {
  const current = { ...wanted, status: { bindingClusters: ["rome/rome"] } };
  expect(await placementPreview(wanted, parentWith({ clusters: fleet, current }), signal)).toBe(
    "Subscription shop/web: bind oslo/oslo; unbind rome/rome: its labels match no subscriber",
  );
});

test("nothing fits: why not", async () => {
  const clusters = { paris: fleet["paris"] ?? {} };
  expect(await placementPreview(wanted, parentWith({ clusters }), signal)).toBe(
    "Subscription shop/web: 0/1 clusters are available: 1 taint maintenance:NoSchedule is not tolerated; no binding changes",
  );
});

test("replicas by weight, with the inventory that is there", async () => {
  const feed = { apiVersion: "apps/v1", kind: "Deployment", namespace: "shop", name: "web" };
  const subscribers = [{ clusterAffinity: { matchLabels: { fleet: "yes" } }, weight: 1 }];
  const divided = {
    ...wanted,
    spec: { subscribers, feeds: [feed], schedulingStrategy: "Dividing", dividingScheduling: { type: "Static" } },
  };
  const inventory = { spec: { feeds: [{ ...feed, desiredReplicas: 6 }] } };
  expect(await placementPreview(divided, parentWith({ clusters: fleet, inventory }), signal)).toContain(
    "apps/v1/Deployment/shop/web in oslo/oslo: 0 → 6 replicas",
  );
});

test("replicas by capacity: the children are asked, and who may not be asked is said", async () => {
  const feed = { apiVersion: "apps/v1", kind: "Deployment", namespace: "shop", name: "web" };
  const dividingScheduling = { type: "Dynamic", dynamicDividing: { strategy: "Spread" } };
  const divided = { ...wanted, spec: { ...spec, feeds: [feed], schedulingStrategy: "Dividing", dividingScheduling } };
  const inventory = { spec: { feeds: [{ ...feed, desiredReplicas: 6 }] } };
  const said = async (request: () => Promise<never>): Promise<string | undefined> =>
    placementPreview(divided, parentWith({ clusters: asked, inventory, request }), signal);
  const asked = { oslo: { labels: { fleet: "yes", "clusters.clusternet.io/cluster-id": ID }, predictor: true } };
  expect(await said(() => Promise.resolve({ status: 200, json: { replicas: { default: 4 } } } as never))).toContain(
    "apps/v1/Deployment/shop/web in oslo/oslo: 0 → 4 replicas",
  );
  expect(await said(() => Promise.reject(new ApiError({ reason: "Forbidden", code: 403, message: "no" })))).toContain(
    'ask an administrator of the parent for "create" on sockets/proxy',
  );
});

test("a parent that does not answer costs a line, without a word of the kubeconfig", async () => {
  const text = await placementPreview(wanted, () => Promise.reject(new Error("bad token s3cret")), signal);
  expect(text).toContain("the parent does not answer");
  expect(text).not.toContain("s3cret");
});

test("what is no Subscription yet says nothing", async () => {
  expect(await placementPreview({ ...wanted, spec: {} }, parentWith({}), signal)).toBeUndefined();
});
