// Every option of a HelmRelease as helm's arguments, for helm 3 and 4.

import { expect, test } from "@jest/globals";
import type { HelmRelease } from "#api/apps/v1alpha1/helm-release.ts";
import { installArguments, rollbackArguments, runLimitMs, uninstallArguments, upgradeArguments } from "./helm-arguments.ts";

const bare: HelmRelease["spec"] = {
  repo: "https://charts.example",
  chart: "web",
  targetNamespace: "apps",
  createNamespace: false,
  timeoutSeconds: 300,
};
const key = { namespace: "apps", name: "web" };
const added = (
  arguments_: (spec: HelmRelease["spec"], major: 3 | 4) => readonly string[],
  option: object,
  major: 3 | 4,
): string =>
  arguments_({ ...bare, ...option }, major)
    .filter((argument) => !arguments_(bare, major).includes(argument))
    .join(" ");

type Case = readonly [option: object, install3: string, install4: string, upgrade3: string, upgrade4: string];
const everywhere = (option: object, flags: string): Case => [option, flags, flags, flags, flags];
const cases: readonly Case[] = [
  [{ createNamespace: true }, "--create-namespace", "--create-namespace", "", ""],
  [{ replace: true }, "--replace", "--replace", "", ""],
  [{ atomic: true }, "--atomic", "--rollback-on-failure", "", ""],
  [{ upgradeAtomic: true }, "", "", "--atomic", "--rollback-on-failure"],
  [{ force: true }, "", "", "--force", "--force-replace"],
  [{ skipCRDs: true }, "--skip-crds", "--skip-crds", "--skip-crds", "--skip-crds"],
  [{ disableHooks: true }, "--no-hooks", "--no-hooks", "--no-hooks", "--no-hooks"],
  [{ wait: true }, "--wait", "--wait", "--wait", "--wait"],
  everywhere({ waitForJob: true }, "--wait --wait-for-jobs"),
  everywhere({ timeoutSeconds: 20 }, "20s"),
  everywhere({ timeoutSeconds: 1_000_000 }, "3000s"),
  everywhere({ timeoutSeconds: -1 }, "1s"),
  everywhere({ chartPullSecret: { name: "s", namespace: "n" } }, ""),
];

test.each(cases)("%j", (...[option, install3, install4, upgrade3, upgrade4]) => {
  const install = (spec: HelmRelease["spec"], major: 3 | 4): readonly string[] =>
    installArguments({ key, spec, major }, "/c.tgz");
  const upgrade = (spec: HelmRelease["spec"], major: 3 | 4): readonly string[] =>
    upgradeArguments({ key, spec, major }, "/c.tgz");
  expect([added(install, option, 3), added(install, option, 4)]).toEqual([install3, install4]);
  expect([added(upgrade, option, 3), added(upgrade, option, 4)]).toEqual([upgrade3, upgrade4]);
});

test("what is always there", () => {
  const command = { key, spec: bare, major: 3 } as const;
  const common = ["--namespace", "apps", "--timeout", "300s"];
  const output = ["--output", "json", "--values", "-"];
  expect(installArguments(command, "/c.tgz")).toEqual(["install", "web", "/c.tgz", ...common, ...output]);
  const upgrade = ["upgrade", "web", "/c.tgz", ...common, ...output, "--reset-values", "--history-max", "5"];
  expect(upgradeArguments(command, "/c.tgz")).toEqual(upgrade);
  expect(rollbackArguments(command)).toEqual(["rollback", "web", ...common, "--history-max", "5"]);
  expect(uninstallArguments({ ...command, spec: { ...bare, wait: true } })).toEqual(["uninstall", "web", ...common, "--wait"]);
});

test("a run may take its timeout, twice where it may have to go back, and a margin", () => {
  expect(runLimitMs(bare)).toBe(360_000);
  expect(runLimitMs({ ...bare, upgradeAtomic: true })).toBe(660_000);
});
