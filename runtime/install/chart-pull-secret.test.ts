// Who may read a chart repository's credential: the controller-manager this one Secret, charts of the namespaces that are named.

import { expect, test } from "@jest/globals";
import { chartPullSecretStages, type ChartPullSecretInstall } from "./chart-pull-secret.ts";
import type { InstallObject } from "./object.ts";

const install: ChartPullSecretInstall = { namespace: "charts", name: "registry", systemNamespace: "system" };
const made = (more: Partial<ChartPullSecretInstall> = {}): Readonly<Record<string, InstallObject>> =>
  Object.fromEntries(
    chartPullSecretStages({ ...install, username: "robot", password: "x", ...more })
      .flat()
      .map((object) => [object.kind, object]),
  );

test("the controller-manager may read this Secret and no other", () => {
  const { Role, RoleBinding } = made();
  expect(Role).toMatchObject({
    metadata: { namespace: "charts", name: "clusternet-charts-registry" },
    rules: [{ apiGroups: [""], resources: ["secrets"], resourceNames: ["registry"], verbs: ["get"] }],
  });
  expect(RoleBinding).toMatchObject({
    metadata: { namespace: "charts", name: "clusternet-charts-registry" },
    roleRef: { kind: "Role", name: "clusternet-charts-registry" },
    subjects: [{ kind: "ServiceAccount", name: "clusternet-controller-manager", namespace: "system" }],
  });
});

test("the Secret has what was given, and nothing else", () => {
  expect(made()["Secret"]?.["stringData"]).toEqual({ username: "robot", password: "x" });
  expect(made()["Secret"]?.metadata).toEqual({ namespace: "charts", name: "registry" });
  const whole = made({ caPem: "PEM", tokenHost: "auth.example", allowChartsFrom: ["shop", "bar"] })["Secret"];
  expect(whole?.["stringData"]).toEqual({ username: "robot", password: "x", "ca.crt": "PEM", tokenHost: "auth.example" });
  expect(whole?.metadata.annotations).toEqual({ "apps.clusternet.io/allow-charts-from": "shop,bar" });
});

test("the right comes before the Secret, and goes after it", () => {
  const kinds = chartPullSecretStages(install).map((stage) => stage.map(({ kind }) => kind));
  expect(kinds).toEqual([["Role", "RoleBinding"], ["Secret"]]);
});
