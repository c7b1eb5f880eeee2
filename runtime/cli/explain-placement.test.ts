// `kubectl clusternet schedule --dry-run` on files: no parent is asked.

import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { runCli } from "#cli/cli.ts";

const subscription = `
apiVersion: apps.clusternet.io/v1alpha1
kind: Subscription
metadata: {namespace: shop, name: web}
spec:
  schedulerName: careful
  subscribers: [{clusterAffinity: {matchLabels: {fleet: "yes"}}}]
  feeds: [{apiVersion: apps/v1, kind: Deployment, namespace: shop, name: web}]
status: {bindingClusters: [b/bonn]}
`;
const inventory = `---
apiVersion: apps.clusternet.io/v1alpha1
kind: FeedInventory
metadata: {namespace: shop, name: web}
spec:
  feeds: [{apiVersion: apps/v1, kind: Deployment, namespace: shop, name: web, desiredReplicas: 5, replicaJsonPath: /spec/replicas}]
`;
const cluster = (name: string, ready: string, fleet = "yes"): string => `
apiVersion: clusters.clusternet.io/v1beta1
kind: ManagedCluster
metadata: {namespace: ${name.slice(0, 1)}, name: ${name}, labels: {fleet: "${fleet}"}}
spec: {clusterId: 8f6b5f8e-0000-4000-8000-00000000000${String(name.length)}, syncMode: Pull}
status:
  conditions: [{type: Ready, status: "${ready}", reason: R, message: "", lastTransitionTime: "2030-01-01T00:00:00Z"}]
`;
const files = {
  "sub.yaml": subscription,
  "clusters.yaml": [
    cluster("oslo", "True"),
    cluster("paris", "False"),
    cluster("bonn", "Unknown"),
    cluster("rom", "True", "no"),
  ].join("---"),
  "config.yaml":
    "profiles: [{schedulerName: careful, plugins: {score: {disabled: [{name: LeastBound}]}, preScore: {disabled: [{name: '*'}]}}}]",
  "other.yaml": "profiles: [{schedulerName: eager}]",
  "dynamic.yaml": subscription
    .replace(
      "  schedulerName: careful",
      "  schedulingStrategy: Dividing\n  dividingScheduling: {type: Dynamic, dynamicDividing: {strategy: Spread}}",
    )
    .replace("status: {bindingClusters: [b/bonn]}", inventory),
  "room.yaml": `${[cluster("oslo", "True"), cluster("bonn", "True")].join("---")}---
kind: Capacities
clusters:
  o/oslo: {"*": 1, apps/v1/Deployment/shop/web: 3}
`,
  "bad-room.yaml": "kind: Capacities\nclusters: {o/oslo: 3}\n",
  "two.yaml": `${subscription}---${subscription}`,
  "secret.yaml": "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\n",
  "bad.yaml": subscription.replace("feeds:", "fedes:"),
};

let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "clusternet-cli-"));
  for (const [name, text] of Object.entries(files)) await writeFile(join(directory, name), text);
});
afterAll(() => rm(directory, { recursive: true }));

async function run(
  ...argv: readonly string[]
): Promise<{ readonly code: number; readonly out: string; readonly complaint: string }> {
  let [out, complaint] = ["", ""];
  const env = { KUBECONFIG: join(directory, "there-is-none") };
  const write = (text: string): void => void (out += text);
  const code = await runCli(
    argv.map((arg) => (arg.endsWith(".yaml") ? join(directory, arg) : arg)),
    { env, write, complain: (text) => void (complaint += text) },
  );
  return { code, out, complaint };
}

const schedule = ["schedule", "--dry-run", "-f", "sub.yaml", "--clusters", "clusters.yaml"];

test("a Subscription is decided on a file of clusters, with the scheduler's own configuration", async () => {
  const { code, out, complaint } = await run(...schedule, "--config", "config.yaml");
  expect({ code, complaint }).toEqual({ code: 0, complaint: "" });
  expect(out.split("\n")).toEqual([
    "Subscription shop/web: Replication, scheduler careful",
    "  b/bonn: stays bound, although it has no live heartbeat",
    "    score 300 = TaintToleration 300",
    "  o/oslo: gets bound: selected and fits",
    "    score 300 = TaintToleration 300",
    "  p/paris: not bound, ClusterReady: it is not ready",
    "  not selected: 1 cluster",
    "what changes:",
    "  bind o/oslo",
    "what would change that:",
    "  if p/paris were Ready: p/paris would be bound",
    "Scheduled=True Scheduled: Bound to 2 clusters; b/bonn stays although it has no live heartbeat; not to p/paris: it is not ready",
    "",
  ]);
});

test("programs read it as JSON", async () => {
  const { out } = await run(...schedule, "-o", "json");
  expect(JSON.parse(out)).toMatchObject({
    subscription: "shop/web",
    outcome: "bound",
    clusters: [
      { cluster: "b/bonn", wasBound: true, verdict: { type: "keep", despite: "it has no live heartbeat" } },
      { cluster: "o/oslo", wasBound: false, verdict: { type: "bind" }, scores: { TaintToleration: 300, LeastBound: 100 } },
      { cluster: "p/paris", verdict: { type: "reject", plugin: "ClusterReady" } },
    ],
    changes: [{ type: "bind", cluster: "o/oslo" }],
    condition: { status: "True", reason: "Scheduled" },
  });
});

test("a file of clusters may say what they could take", async () => {
  const { out, complaint } = await run("schedule", "--dry-run", "-f", "dynamic.yaml", "--clusters", "room.yaml");
  expect(complaint).toBe("");
  expect(out.split("\n")).toEqual(
    expect.arrayContaining([
      "    apps/v1/Deployment/shop/web: could take 3 more",
      "    apps/v1/Deployment/shop/web: capacity unknown: the file does not say",
      "  apps/v1/Deployment/shop/web in o/oslo: 0 → 3 replicas",
      "  if o/oslo had room for 2 more of apps/v1/Deployment/shop/web: 5 of 5 replicas of apps/v1/Deployment/shop/web would be placed",
    ]),
  );
});

test.each([
  ["without --dry-run", ["schedule", "-f", "sub.yaml"], "Scheduling is the scheduler's work"],
  [
    "of two Subscriptions",
    ["schedule", "--dry-run", "-f", "two.yaml", "--clusters", "clusters.yaml"],
    "holds several Subscriptions",
  ],
  [
    "of no Subscription",
    ["schedule", "--dry-run", "-f", "clusters.yaml", "--clusters", "clusters.yaml"],
    "holds no Subscription",
  ],
  ["of another kind", ["schedule", "--dry-run", "-f", "secret.yaml"], "holds a v1 Secret"],
  ["with a mistake", ["schedule", "--dry-run", "-f", "bad.yaml"], "spec.fedes"],
  [
    "on capacities that are none",
    ["schedule", "--dry-run", "-f", "sub.yaml", "--clusters", "bad-room.yaml"],
    "holds capacities that cannot be used",
  ],
  ["with a duration that is none", [...schedule, "--config", "config.yaml", "--capacity-timeout", "soon"], "is no duration"],
  ["of a file that is not there", ["schedule", "--dry-run", "-f", "none.yaml"], "none.yaml cannot be read"],
  ["with another scheduler's configuration", [...schedule, "--config", "other.yaml"], "has no profile for scheduler careful"],
])("a dry run %s is refused, and says why", async (_what, argv, says) => {
  const { code, out, complaint } = await run(...argv);
  expect({ code, out }).toEqual({ code: 1, out: "" });
  expect(complaint).toContain(says);
});
