// chooseNode: real processes for real pods, fake nodes for those that ask.
import { expect, test } from "@jest/globals";
import type { Node, Pod, PodSpec } from "kubernetes-types/core/v1.js";
import { chooseNode } from "#test/framework/process-node/binder.ts";

const real: Node = { metadata: { name: "real", labels: { zone: "a" } } };
const notReady: Node = { ...real, spec: { taints: [{ key: "node.kubernetes.io/not-ready", effect: "NoSchedule" }] } };
const fake: Node = { metadata: { name: "fake", labels: { type: "kwok" }, annotations: { "kwok.x-k8s.io/node": "fake" } } };

function pod(spec: Partial<PodSpec> = {}, annotations: Record<string, string> = {}): Pod {
  return { metadata: { name: "pod", annotations }, spec: { containers: [], ...spec }, status: { phase: "Pending" } };
}

const onNode = (name: string): Partial<PodSpec> => {
  const nodeSelectorTerms = [{ matchFields: [{ key: "metadata.name", operator: "In", values: [name] }] }];
  return { affinity: { nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms } } } };
};

test.each([
  { it: "prefers the real node, whatever the order", pod: pod(), nodes: [fake, real], chosen: "real" },
  { it: "waits for a real node that is not ready yet", pod: pod(), nodes: [notReady, fake], chosen: undefined },
  {
    it: "takes a tainted node that the pod tolerates",
    pod: pod({ tolerations: [{ key: "node.kubernetes.io/not-ready", operator: "Exists" }] }),
    nodes: [notReady],
    chosen: "real",
  },
  {
    it: "gives an annotated pod a fake node",
    pod: pod({}, { "kwok.x-k8s.io/node": "fake" }),
    nodes: [real, fake],
    chosen: "fake",
  },
  {
    it: "follows a node selector to a fake node",
    pod: pod({ nodeSelector: { type: "kwok" } }),
    nodes: [real, fake],
    chosen: "fake",
  },
  { it: "follows the DaemonSet controller's node name", pod: pod(onNode("fake")), nodes: [real, fake], chosen: "fake" },
  { it: "leaves a bound pod alone", pod: pod({ nodeName: "other" }), nodes: [real], chosen: undefined },
  { it: "leaves a gated pod alone", pod: pod({ schedulingGates: [{ name: "wait" }] }), nodes: [real], chosen: undefined },
  {
    it: "has no node for a selector that nobody matches",
    pod: pod({ nodeSelector: { zone: "b" } }),
    nodes: [real, fake],
    chosen: undefined,
  },
])("chooseNode $it", ({ pod: pending, nodes, chosen }) => {
  expect(chooseNode(pending, nodes)).toBe(chosen);
});
