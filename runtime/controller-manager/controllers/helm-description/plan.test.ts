// Which HelmReleases a Helm Description needs, and how a policy reaches one that goes.

import { expect, test } from "@jest/globals";
import { Description } from "#api/apps/v1alpha1/description.ts";
import { HelmChart } from "#api/apps/v1alpha1/helm-chart.ts";
import type { HelmRelease } from "#api/apps/v1alpha1/helm-release.ts";
import { planReleases } from "./plan.ts";

type Policy = NonNullable<Description["spec"]["delivery"]>;

const chart = {
  apiVersion: HelmChart.apiVersion,
  kind: HelmChart.kind,
  metadata: { namespace: "shop", name: "web" },
  spec: { repo: "https://charts.example", chart: "web", targetNamespace: "apps", createNamespace: true, timeoutSeconds: 60 },
};
const encoded = (text: string): string => Buffer.from(text).toString("base64");

function descriptionOf(
  delivery?: Policy,
  changes: { readonly isDeleting?: boolean; readonly isEmpty?: boolean } = {},
): Description {
  const { isDeleting = false, isEmpty = false } = changes;
  const charts = {
    charts: [{ namespace: "shop", name: "web" }],
    raw: [encoded(" ")],
    chartRaw: [encoded(JSON.stringify(chart))],
  };
  return {
    apiVersion: Description.apiVersion,
    kind: Description.kind,
    metadata: {
      namespace: "paris",
      name: "web.shop-helm",
      uid: "description-uid",
      ...(isDeleting ? { deletionTimestamp: "2030-01-01T00:00:00Z" } : {}),
    },
    spec: {
      deployer: "Helm",
      ...(isEmpty ? { charts: [], raw: [], chartRaw: [] } : charts),
      ...(delivery === undefined ? {} : { delivery }),
    },
  };
}

function madeOf(description: Description): HelmRelease {
  const [action] = planReleases(description, []).actions;
  if (action?.type !== "create") throw new Error("no release was planned");
  return action.release;
}

const stepsOf = (description: Description, existing: HelmRelease): readonly unknown[] =>
  planReleases(description, [existing]).actions.map(({ type, release }) => [type, release.spec.delivery]);
const retain: Policy = { onDelete: "Retain" };

test("a policy is part of the release, and nothing changes while it stays", () => {
  const release = madeOf(descriptionOf(retain));
  expect(release.spec.delivery).toEqual(retain);
  expect(stepsOf(descriptionOf(retain), release)).toEqual([]);
  expect(stepsOf(descriptionOf(), release)).toEqual([["update", undefined]]);
});

test.each([{ isDeleting: true }, { isEmpty: true }])(
  "a policy that changes with the deletion is handed on first: %j",
  (changes) => {
    const before = madeOf(descriptionOf());
    expect(stepsOf(descriptionOf(retain, changes), before)).toEqual([["update", retain]]);
    expect(stepsOf(descriptionOf(retain, changes), madeOf(descriptionOf(retain)))).toEqual([["delete", retain]]);
    expect(stepsOf(descriptionOf(undefined, changes), before)).toEqual([["delete", undefined]]);
  },
);
