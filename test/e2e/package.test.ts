// What npm would publish works for a stranger: built, packed, installed into an empty project, type-checked, imported, started, previewed.

import { copyFile, cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { execa } from "execa";
import { createPulumi } from "#test/framework/pulumi.ts";
import { sharedControlPlane } from "#test/framework/shared-control-plane.ts";
import { buildPackage } from "#tools/package.ts";

/** Compiling takes about 15 s of processor time, installing about as long. */
const SETUP_LIMIT_MS = 900_000;
const STEP_LIMIT_MS = 300_000;
const repository = dirname(dirname(import.meta.dirname));
const example = join(repository, "examples", "01-first-fleet");

let directory: string;
let project: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "clusternet-package-"));
  project = join(directory, "project");
  const built = await buildPackage(join(directory, "built"));
  const [packed] = JSON.parse(
    (await run("npm", ["pack", built, "--json", "--pack-destination", directory], repository)).stdout,
  ) as [{ filename: string }];
  // What a user copies: the example as it is in the repository, with the tarball in place of the version in its package.json.
  await cp(example, project, { recursive: true, filter: (path) => !path.includes("node_modules") });
  await useTarball(join(project, "package.json"), join(directory, packed.filename));
  // Scripts would download plugins, which the program does not need.
  await run("npm", ["install", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline"], project);
}, SETUP_LIMIT_MS);

afterAll(async () => {
  await rm(directory, { recursive: true, force: true });
});

test(
  "its types hold in a project that knows nothing of our compiler options, with every declaration file checked",
  async () => {
    // The compiler complains when the marked line is not an error: types that are present but say nothing would be found.
    await writeFile(
      join(project, "wrong.ts"),
      'import { Hub } from "pulumi-clusternet";\n// @ts-expect-error A port is a number\nnew Hub("hub", { servicePort: "https" }, {});\n',
    );
    const tsc = join(repository, "node_modules", "typescript", "bin", "tsc");
    const flags = ["--noEmit", "--strict", "--module", "nodenext", "--target", "es2022", "--allowImportingTsExtensions"];
    const { exitCode, all } = await execa(
      process.execPath,
      [tsc, ...flags, "--skipLibCheck", "false", "--types", "node", "index.ts", "wrong.ts"],
      {
        cwd: project,
        all: true,
        reject: false,
      },
    );
    expect(all).toBe("");
    expect(exitCode).toBe(0);
  },
  STEP_LIMIT_MS,
);

describe("compiled JavaScript", () => {
  test("is what an import gives, with every # import resolved", async () => {
    const script = 'import * as clusternet from "pulumi-clusternet"; console.log(JSON.stringify(Object.keys(clusternet)));';
    const { stdout } = await run(process.execPath, ["--no-strip-types", "--input-type=module", "--eval", script], project);
    expect(JSON.parse(stdout)).toEqual(
      expect.arrayContaining(["ClusternetFleet", "ControlPlane", "ChildCluster", "Subscription"]),
    );
  });

  test("is a plugin of kubectl, which npm puts on PATH", async () => {
    const help = await run(join("node_modules", ".bin", "kubectl-clusternet"), ["explain", "value", "--help"], project);
    expect(help.stdout).toContain("Usage: kubectl clusternet explain value");
  });

  test.each(["hub", "agent", "scheduler", "controller-manager", "cluster-api-integration"])(
    "starts as %s, and reports the package's version",
    async (component) => {
      const { version } = JSON.parse(await readFile(join(repository, "package.json"), "utf8")) as { version: string };
      const main = join("node_modules", "pulumi-clusternet", "runtime", "main.js");
      const help = await run(process.execPath, ["--no-strip-types", main, component, "--help"], project);
      expect(help.stdout).toContain(`Usage: ${component}`);
      const reported = await run(process.execPath, ["--no-strip-types", main, component, "--version"], project);
      expect(reported.stdout).toBe(version);
    },
    STEP_LIMIT_MS,
  );

  test("holds no source and no test", async () => {
    const installed = join(project, "node_modules", "pulumi-clusternet");
    const { stdout } = await run("find", [".", "-name", "*.ts", "!", "-name", "*.d.ts", "-o", "-name", "*.test.*"], installed);
    expect(stdout).toBe("");
  });
});

test(
  "pulumi previews the copied example against a real control plane",
  async () => {
    const { adminKubeconfig } = await sharedControlPlane();
    for (const name of ["parent", "child-1", "child-2"]) await copyFile(adminKubeconfig, join(directory, `${name}.kubeconfig`));
    await using pulumi = await createPulumi({
      directory: project,
      config: { kubeconfigs: directory, hubServicePort: "8443" },
      report: () => undefined,
    });
    await pulumi.setConfig("bootstrapSecret", "a secret of 24 characters", { secret: true });
    const { changes, steps } = await pulumi.preview({ allowFailure: false });
    expect(Object.keys(changes)).toEqual(["create"]);
    expect(steps.map(({ type }) => type)).toEqual(
      expect.arrayContaining(["clusternet:index:ClusternetFleet", "clusternet:index:Hub", "clusternet:index:Agent"]),
    );
  },
  STEP_LIMIT_MS,
);

async function useTarball(manifestFile: string, tarball: string): Promise<void> {
  const manifest = JSON.parse(await readFile(manifestFile, "utf8")) as { dependencies: Record<string, string> };
  manifest.dependencies["pulumi-clusternet"] = `file:${tarball}`;
  await writeFile(manifestFile, JSON.stringify(manifest));
}

async function run(command: string, args: readonly string[], cwd: string): Promise<{ readonly stdout: string }> {
  return execa(command, args, { cwd });
}
