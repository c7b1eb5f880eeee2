// A chart repository's credential as Pulumi sees it: kept secret, referred to by name, refused when it is half a credential.

import { expect, test } from "@jest/globals";
import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import { ChartPullSecret, type ChartPullSecretArgs } from "#pulumi/components/chart-pull-secret.ts";
import { recordResources, type Recorded } from "#test/framework/recorded-resources.ts";

const credential = { username: "robot", password: "correct horse" };
const made = (args: Partial<ChartPullSecretArgs>): Promise<Recorded[]> =>
  recordResources(() => {
    const provider = new k8s.Provider("p", { kubeconfig: "x" });
    const { reference } = new ChartPullSecret("registry", { namespace: "charts", ...args }, { provider });
    expect(reference).toEqual({ namespace: "charts", name: args.secretName ?? "registry" });
  });

test("the password is secret in the state, whether the program marked it or not", async () => {
  for (const password of [credential.password, pulumi.secret(credential.password)]) {
    const resources = await made({ ...credential, password });
    const secret = resources.find(({ type }) => type.endsWith(":Secret"));
    expect(secret?.inputs["stringData"]).toEqual(credential);
    expect(JSON.stringify(resources.map(({ plainInputs }) => plainInputs))).not.toContain(credential.password);
  }
});

test("the Secret has a name of its own, and its Role is made before it", async () => {
  const resources = await made({ ...credential, secretName: "docker-hub", systemNamespace: "system", allowChartsFrom: ["*"] });
  const [role, secret] = [":Role", ":Secret"].map((suffix) => resources.find(({ type }) => type.endsWith(suffix)));
  expect(role?.inputs["metadata"]).toMatchObject({ namespace: "charts", name: "clusternet-charts-docker-hub" });
  expect(secret?.inputs["metadata"]).toMatchObject({
    name: "docker-hub",
    annotations: { "apps.clusternet.io/allow-charts-from": "*" },
  });
  expect(secret?.dependsOnAll.has(role?.urn ?? "")).toBe(true);
});

test.each<[string, Partial<ChartPullSecretArgs>, RegExp]>([
  ["a name without a password", { username: "robot" }, /Give username and password together/],
  ["nothing", {}, /Give username and password together, or caPem alone/],
  ["a certificate that is none", { caPem: "/etc/ca.crt" }, /caPem: Must be PEM/],
  ["a name that no Secret can have", { ...credential, secretName: "Docker Hub" }, /secretName: Must be the name of a Secret/],
])("%s is refused", async (_what, args, says) => {
  await expect(made(args)).rejects.toThrow(says);
});
