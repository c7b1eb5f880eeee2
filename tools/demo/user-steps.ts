// The demo's proof that kubectl works against a child through the parent's API server, as the caller's own identity and no more.

import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { parse, stringify } from "yaml";
import { socketProxyPath } from "#api/proxies/v1alpha1/socket.ts";
import { eventually } from "#test/framework/eventually.ts";
import { FAKE_POD_ANSWER } from "#test/framework/fake-nodes.ts";
import { logOf, type Child, type DemoContext } from "./context.ts";
import { kubectlWith, type Kubectl } from "#tools/kubectl.ts";
import { atHop, type Step } from "./steps.ts";

/** An ordinary user of the parent; her certificate says so, nothing else does. */
const USER = "alice";
const POD_READY_MS_MAX = 30_000;

export const kubectlThroughTheParent: Step<DemoContext> = {
  name: "kubectl reaches a child through the parent, as the user's own identity: get, get -w, apply, logs -f, exec -it, port-forward, delete",
  run: async (context, signal) => {
    const [child] = context.children;
    await atHop("Rights of alice on the parent", () => context.parent.run(["apply", "-f", "-"], { input: parentRights() }));
    await atHop("Rights of alice in child-1", () => child.kubectl.run(["apply", "-f", "-"], { input: childRights() }));
    const alice = await childKubectl(context, child, signal);
    const log = logOf(context.clusters.parent, "hub");
    await atHop("kubectl get through the parent", () => alice.run(["get", "pods", "-n", "default"]), log);
    await atHop("watch, apply and delete through the parent", () => watchApplyDelete(alice), log);
    await atHop("logs, exec and port-forward through the parent", () => talkToPod(alice, child, signal), log);
    await atHop("What alice may not do", () => isForbidden(alice), log);
    return "as alice; logs, exec and port-forward on a kwok pod; `get secrets` is forbidden to alice by child-1 itself";
  },
};

/** A kubeconfig of alice that differs from the parent's own only by the path in the server's URL. */
export async function childKubectl({ clusters, parent }: DemoContext, child: Child, signal: AbortSignal): Promise<Kubectl> {
  const path = join(clusters.directory, `alice-in-${child.name}.kubeconfig`);
  const config = parse(
    await readFile(await clusters.parent.controlPlane.kubeconfigFor({ user: USER, groups: ["developers"] }), "utf8"),
  ) as {
    clusters: { cluster: { server: string } }[];
  };
  const id = await parent.run([
    "get",
    "managedclusters",
    "--all-namespaces",
    "-o",
    `jsonpath={.items[?(@.metadata.name=="${child.name}")].spec.clusterId}`,
  ]);
  for (const { cluster } of config.clusters) cluster.server += socketProxyPath(id);
  await writeFile(path, stringify(config), { mode: 0o600 });
  return kubectlWith(path, signal);
}

async function watchApplyDelete(alice: Kubectl): Promise<void> {
  await using watch = alice.start(["get", "configmaps", "-n", "default", "--watch", "--output-watch-events"]);
  await watch.output(/shop/);
  const note = { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "note", namespace: "default" }, data: { by: USER } };
  await alice.run(["apply", "-f", "-"], { input: stringify(note) });
  await watch.output(/ADDED\s+note/);
  await alice.run(["delete", "configmap", "note", "-n", "default"]);
  await watch.output(/DELETED\s+note/);
}

async function talkToPod(alice: Kubectl, { kubectl, cluster }: Child, signal: AbortSignal): Promise<void> {
  await kubectl.run(["apply", "-f", "-"], { input: stringify(fakePod) });
  await kubectl.run(["wait", "pod/fake", "-n", "default", "--for=condition=Ready", "--timeout=30s"]);
  {
    await using logs = alice.start(["logs", "-f", "fake", "-n", "default"]);
    await logs.output(/./);
    await cluster.fakeNodes?.writeLogLine("written while it was followed");
    await logs.output(/written while it was followed/);
  }
  const spoken = await alice.run(["exec", "-i", "-t", "fake", "-n", "default", "--", "sh", "-c", "read word; echo heard $word"], {
    input: "hello\n",
  });
  if (!spoken.includes("heard hello")) throw new Error(`exec printed ${JSON.stringify(spoken)}`);
  await using forward = alice.start(["port-forward", "pod/fake", "-n", "default", "--address=127.0.0.1", ":80"]);
  const [, port = ""] = /127\.0\.0\.1:(\d+)/.exec(await forward.output(/Forwarding from 127\.0\.0\.1:\d+/)) ?? [];
  const answer = await eventually("the forwarded port answers", async () => (await fetch(`http://127.0.0.1:${port}/`)).text(), {
    timeoutMs: POD_READY_MS_MAX,
    signal,
  });
  if (answer !== FAKE_POD_ANSWER) throw new Error(`port-forward answered ${JSON.stringify(answer)}`);
  await alice.run(["delete", "pod", "fake", "-n", "default", "--wait=false"]);
}

async function isForbidden(alice: Kubectl): Promise<void> {
  const { exitCode, stderr } = await alice.attempt(["get", "secrets", "-n", "default"]);
  if (exitCode === 0) throw new Error("alice could read secrets");
  if (!/User "alice" cannot list resource "secrets"/.test(stderr)) throw new Error(`The refusal does not name alice: ${stderr}`);
}

const subject = { apiGroup: "rbac.authorization.k8s.io", kind: "User", name: USER };

/** On the parent she may only pass through to children. */
function parentRights(): string {
  return list({
    apiVersion: "rbac.authorization.k8s.io/v1",
    kind: "ClusterRoleBinding",
    metadata: { name: "demo-alice-reaches-children" },
    roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: "clusternet:system:socketsproxy" },
    subjects: [subject],
  });
}

function childRights(): string {
  const metadata = { name: "demo-alice", namespace: "default" };
  return list(
    {
      apiVersion: "rbac.authorization.k8s.io/v1",
      kind: "Role",
      metadata,
      rules: [
        {
          apiGroups: [""],
          resources: ["pods", "configmaps"],
          verbs: ["get", "list", "watch", "create", "update", "patch", "delete"],
        },
        { apiGroups: [""], resources: ["pods/log"], verbs: ["get"] },
        { apiGroups: [""], resources: ["pods/exec", "pods/portforward"], verbs: ["get", "create"] },
      ],
    },
    {
      apiVersion: "rbac.authorization.k8s.io/v1",
      kind: "RoleBinding",
      metadata,
      roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "Role", name: metadata.name },
      subjects: [subject],
    },
  );
}

const fakePod = {
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name: "fake", namespace: "default", annotations: { "kwok.x-k8s.io/node": "fake" } },
  spec: { nodeSelector: { type: "kwok" }, containers: [{ name: "main", image: "fake" }] },
};

function list(...objects: readonly object[]): string {
  return objects.map((object) => stringify(object)).join("---\n");
}

/** The administrator takes back what this step granted. */
export async function revokeRights({ parent, children }: DemoContext): Promise<void> {
  await parent.run(["delete", "--ignore-not-found", "-f", "-"], { input: parentRights() });
  await children[0].kubectl.run(["delete", "--ignore-not-found", "-f", "-"], { input: childRights() });
}
