// What a Base's two Descriptions say together.

import { expect, test } from "@jest/globals";
import type { Base } from "#api/apps/v1alpha1/base.ts";
import type { Description } from "#api/apps/v1alpha1/description.ts";
import { jointDescription } from "./joint-description.ts";

const apiVersion = "apps.clusternet.io/v1alpha1";
const object = { apiVersion: "v1", kind: "ConfigMap", namespace: "shop", name: "settings" };
const chart = { apiVersion, kind: "HelmChart", namespace: "shop", name: "web" };

const baseOf = (feeds: Base["spec"]["feeds"]): Base => ({
  apiVersion,
  kind: "Base",
  metadata: { namespace: "paris", name: "web.shop" },
  spec: { feeds },
});

function aDescription(deployer: "Generic" | "Helm", phase: "Success" | "Failure" | "Installing", reason = ""): Description {
  const manifestStatuses = [deployer === "Helm" ? chart : object];
  const metadata = { namespace: "paris", name: deployer, generation: 1 };
  const status = { phase, reason, observedGeneration: 1, manifestStatuses };
  return { apiVersion, kind: "Description", metadata, spec: { deployer }, status };
}

const generic = aDescription("Generic", "Success");
const helm = aDescription("Helm", "Success");

test("a Base of one sort has one Description", () => {
  expect(jointDescription(baseOf([object]), { generic, helm: undefined })).toBe(generic);
  expect(jointDescription(baseOf([chart]), { generic: undefined, helm })).toBe(helm);
  expect(jointDescription(baseOf([]), { generic, helm: undefined })).toBe(generic);
});

test("with both it waits for both", () => {
  expect(jointDescription(baseOf([object, chart]), { generic, helm: undefined })).toBeUndefined();
  expect(jointDescription(baseOf([object, chart]), { generic: undefined, helm })).toBeUndefined();
});

test.each([
  ["Success", "Success", "Success", ""],
  ["Success", "Installing", "Installing", ""],
  ["Installing", "Success", "Installing", ""],
  ["Failure", "Success", "Failure", "Generic broke"],
  ["Installing", "Failure", "Failure", "Helm broke"],
  ["Failure", "Failure", "Failure", "Generic broke; Helm broke"],
] as const)("objects %s and charts %s are %s", (...[objects, charts, phase, reason]) => {
  const both = {
    generic: aDescription("Generic", objects, objects === "Failure" ? "Generic broke" : ""),
    helm: aDescription("Helm", charts, charts === "Failure" ? "Helm broke" : ""),
  };
  const joint = jointDescription(baseOf([object, chart]), both);
  expect(joint?.status).toMatchObject({ phase, reason, manifestStatuses: [object, chart] });
});
