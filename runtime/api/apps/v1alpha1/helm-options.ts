// What HelmChart and HelmRelease share: where the chart is and how it is installed.

import * as z from "zod";

import type { Column } from "#api/define-kind.ts";
import { int32 } from "#api/fields.ts";

// Upstream's pattern lists characters that its range `$-_` already contains, so it backtracks without end on long bad input. The
// set of characters written once accepts the same texts; helm-options.test.ts compares the two.
export const REPO_PATTERN = "^(http|https|oci)?://(?:[a-zA-Z]|[0-9]|[$-_@.&+]|[!*\\(\\),]|(?:%[0-9a-fA-F][0-9a-fA-F]))+$";
export const repoRegExp = /^(http|https|oci)?:\/\/[a-z!$-_]+$/;

export const helmOptionsShape = {
  repo: z
    .string()
    .regex(repoRegExp)
    .meta({ pattern: REPO_PATTERN })
    .describe("Repository of the chart: http://, https:// or oci://."),
  chartPullSecret: z
    .object({
      name: z.string().optional().describe("Name of the Secret."),
      namespace: z.string().optional().describe("Namespace of the Secret."),
    })
    .optional()
    .describe("Secret of the parent with the keys username and password."),
  plainHTTP: z.boolean().optional().describe("Use HTTP, not HTTPS, for an OCI repository."),
  chart: z.string().describe("Name of the chart."),
  version: z.string().optional().describe("Version of the chart; absent: the newest."),
  createNamespace: z.boolean().default(true).describe("Create the target namespace if it is not there."),
  timeoutSeconds: int32.default(300).describe("How long one Kubernetes operation may take."),
  wait: z.boolean().optional().describe("Wait until everything in the chart is ready."),
  waitForJob: z.boolean().optional().describe("Wait until its Jobs are complete."),
  replace: z.boolean().optional().describe("Use a release name again that belongs to a deleted release."),
  atomic: z.boolean().optional().describe("Uninstall if the installation fails."),
  upgradeAtomic: z.boolean().optional().describe("Roll back if an upgrade fails."),
  skipCRDs: z.boolean().optional().describe("Do not install the chart's CustomResourceDefinitions."),
  replaceCRDs: z
    .boolean()
    .optional()
    .describe("Replace the chart's CustomResourceDefinitions before an installation or upgrade."),
  disableHooks: z.boolean().optional().describe("Do not run the chart's hooks."),
  force: z.boolean().optional().describe("Delete and create again what an upgrade cannot change."),
};

export const helmColumns: readonly Column[] = [
  { name: "CHART", type: "string", jsonPath: ".spec.chart" },
  { name: "VERSION", type: "string", jsonPath: ".spec.version" },
  { name: "REPO", type: "string", jsonPath: ".spec.repo" },
  { name: "STATUS", type: "string", jsonPath: ".status.phase" },
];
