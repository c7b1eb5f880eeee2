// What a release installed and somebody changed: put back object by object, never while helm has work to do, never what belongs to others.

import { gzipSync } from "node:zlib";
import { expect, test } from "@jest/globals";
import type { DeliveryPolicy } from "#api/apps/v1alpha1/delivery-policy.ts";
import { HelmRelease } from "#api/apps/v1alpha1/helm-release.ts";
import type { KubeObject } from "#api/meta.ts";
import { AppliedMemory } from "#delivery/applied-memory.ts";
import { CorrectionBackoff } from "#delivery/correction-backoff.ts";
import { ConfigMap, Deployment, Secret } from "#kube/builtin-kinds.ts";
import type { EventNote } from "#kube/event-aggregation.ts";
import { silentLogger } from "#std/log.ts";
import { createFakeClock } from "#test/framework/fake-clock.ts";
import { createMemoryCluster } from "#test/framework/memory-cluster.ts";
import { keepReleased } from "./keep-released.ts";
import { releaseHash } from "./release-plan.ts";

const { signal } = new AbortController();
const manifest = `---
# Source: web/templates/settings.yaml
apiVersion: v1
kind: ConfigMap
metadata: { name: settings }
data: { colour: blue }
---
apiVersion: apps/v1
kind: Deployment
metadata: { name: web, namespace: other }
spec: { replicas: 2, image: a }
`;

function bedOf({ delivery, isDeliverer = true }: { readonly delivery?: DeliveryPolicy; readonly isDeliverer?: boolean } = {}) {
  const child = createMemoryCluster([ConfigMap, Secret, Deployment]);
  const parent = createMemoryCluster([HelmRelease]);
  const events: EventNote[] = [];
  const clock = createFakeClock();
  const record = gzipSync(JSON.stringify({ manifest })).toString("base64");
  const installed: readonly (KubeObject & Record<string, unknown>)[] = [
    { apiVersion: "v1", kind: "ConfigMap", metadata: { namespace: "apps", name: "settings" }, data: { colour: "blue" } },
    {
      apiVersion: "apps/v1",
      kind: "Deployment",
      metadata: { namespace: "other", name: "web" },
      spec: { replicas: 2, image: "a" },
    },
    {
      apiVersion: "v1",
      kind: "Secret",
      metadata: { namespace: "apps", name: "sh.helm.release.v1.web.v3", labels: { status: "deployed" } },
      data: { release: Buffer.from(record, "latin1").toString("base64") },
    },
  ];
  for (const object of installed) child.make(object, "helm");
  const { apiVersion, kind } = HelmRelease;
  const spec = { repo: "https://charts.example", chart: "web", releaseName: "web", targetNamespace: "apps", delivery };
  const metadata = { namespace: "paris", name: "web", generation: 1 };
  const unsaid = { apiVersion, kind, metadata, spec } as unknown as HelmRelease;
  const status = { phase: "deployed", version: 3, observedGeneration: 1, releasedHash: releaseHash(unsaid) };
  parent.make({ ...unsaid, status }, "test");
  const stored = (): HelmRelease => {
    const release = parent.object("HelmRelease", "web") as unknown as HelmRelease;
    return { ...release, metadata: { ...release.metadata, generation: 1 } };
  };
  const memory = new AppliedMemory();
  const backoff = new CorrectionBackoff();
  return {
    child,
    parent,
    events,
    clock,
    stored,
    look: async (release = stored()) =>
      keepReleased(
        {
          release,
          parent: parent.client,
          child: child.client,
          discovery: child.discovery,
          memory,
          backoff,
          isDeliverer,
          events: { record: (_object: KubeObject, note: EventNote) => void events.push(note), flush: () => Promise.resolve() },
          clock,
          log: silentLogger,
        },
        signal,
      ),
    edit: (kindOf: string, name: string, change: (object: Record<string, unknown>) => unknown) => {
      child.edit(kindOf, name, { by: "kubectl-edit", change });
    },
    drifted: () => stored().status?.conditions?.find(({ type }) => type === "Drifted"),
  };
}

test("nothing changed: nothing is written, and the second look asks for less", async () => {
  const bed = bedOf();
  await bed.look();
  const first = bed.child.calls.length;
  await bed.look();
  expect(bed.child.calls.slice(first).map(({ verb }) => verb)).toEqual(["get", "get", "get"]);
  expect([...bed.child.writes(), ...bed.parent.writes()]).toEqual([]);
});

test("an edit is put back and told; what the chart does not speak of stays", async () => {
  const bed = bedOf();
  bed.edit("ConfigMap", "settings", (object) => (object["data"] = { colour: "red", own: "1" }));
  await bed.look();
  expect(bed.child.object("ConfigMap", "settings")?.["data"]).toEqual({ colour: "blue", own: "1" });
  expect(bed.events.map(({ message }) => message)).toEqual([
    "ConfigMap apps/settings was changed by kubectl-edit: /data/colour is red instead of blue; put back",
  ]);
});

test("a deleted object is made again in the namespace of the release, with helm's own marks", async () => {
  const bed = bedOf();
  bed.child.remove("ConfigMap", "settings");
  await bed.look();
  expect(bed.child.object("ConfigMap", "settings")).toMatchObject({
    metadata: { namespace: "apps", annotations: { "meta.helm.sh/release-name": "web" } },
    data: { colour: "blue" },
  });
});

test("fields that the user lists are left alone", async () => {
  const bed = bedOf({ delivery: { ignoreFields: [{ kind: "Deployment", paths: ["/spec/replicas"] }] } });
  bed.edit("Deployment", "web", (object) => (object["spec"] = { replicas: 7, image: "b" }));
  await bed.look();
  expect(bed.child.object("Deployment", "web")?.["spec"]).toEqual({ replicas: 7, image: "a" });
});

test("who does not deliver only says it; drift Off does not even look", async () => {
  const bed = bedOf({ isDeliverer: false });
  bed.edit("ConfigMap", "settings", (object) => (object["data"] = { colour: "red" }));
  await bed.look();
  expect(bed.drifted()).toMatchObject({ status: "True", reason: "Drifted" });
  expect(bed.child.object("ConfigMap", "settings")?.["data"]).toEqual({ colour: "red" });
  const off = bedOf({ delivery: { drift: "Off" } });
  await off.look();
  expect(off.child.calls).toEqual([]);
});

test("while helm has work to do nothing is compared: the record speaks of what was", async () => {
  const bed = bedOf();
  bed.edit("ConfigMap", "settings", (object) => (object["data"] = { colour: "red" }));
  const release = bed.stored();
  await bed.look({ ...release, spec: { ...release.spec, version: "2.0.0" } });
  expect(bed.child.object("ConfigMap", "settings")?.["data"]).toEqual({ colour: "red" });
});

test("a revision that is not in force any more is released anew", async () => {
  const bed = bedOf();
  bed.edit("Secret", "sh.helm.release.v1.web.v3", (object) => {
    object["metadata"] = { ...(object["metadata"] as object), labels: { status: "superseded" } };
  });
  await bed.look();
  expect(bed.stored().status?.releasedHash).toBe("");
  expect(bed.events.map(({ reason }) => reason)).toEqual(["Drifted"]);
});

test("a change that comes back each time is met ever more slowly, and said", async () => {
  const bed = bedOf();
  for (let round = 0; round < 4; round += 1) {
    bed.edit("ConfigMap", "settings", (object) => (object["data"] = { colour: `red-${String(round)}` }));
    await bed.look();
  }
  expect(bed.child.object("ConfigMap", "settings")?.["data"]).toEqual({ colour: "red-3" });
  expect(bed.drifted()).toMatchObject({ status: "True", reason: "CorrectionContested" });
});
