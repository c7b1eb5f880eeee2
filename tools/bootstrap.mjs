// The entry of every npm script, in plain JavaScript for any Node from version 20 on: installs the packages if they are not those of
// package-lock.json, finds the Node 24 among them, and becomes `node SCRIPT ARGUMENTS…` with its signals and its exit code.

import { spawn, spawnSync } from "node:child_process";
import { existsSync, readFileSync, symlinkSync } from "node:fs";
import { constants } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const [script, ...scriptArguments] = process.argv.slice(2);
const NODE_MAJOR = 24;
/** Tests and the demo start hundreds of Node processes with the same code: half of what a start costs is compiling it. */
const compileCache = process.env.NODE_COMPILE_CACHE ?? join(root, "node_modules", ".cache", "node-compile");
/** npm passes a Ctrl-C on that the terminal has already delivered to the whole foreground group. A person is slower than this. */
const SAME_SIGNAL_MS = 300;

if (script === undefined) fail("Usage: node tools/bootstrap.mjs SCRIPT [ARGUMENTS…]");
if (!packagesAreInstalled()) installPackages();
linkSelf();
become(findNode(), [join(root, script), ...scriptArguments]);

/** Compares contents, not times: a checkout gives all files the same time, and npm writes the two files in no fixed order. */
function packagesAreInstalled() {
  const wanted = readJson("package-lock.json")?.packages ?? {};
  const installed = readJson("node_modules/.package-lock.json")?.packages;
  if (installed === undefined) return false;
  return Object.entries(wanted).every(
    // The root itself, and what is for other platforms only, are not in the installed list.
    ([path, entry]) => path === "" || entry.optional === true || installed[path]?.version === entry.version,
  );
}

function installPackages() {
  console.error("Installing npm packages; this takes about a minute the first time");
  const startedAt = Date.now();
  // Not `npm ci`: it refuses a lock file without the optional packages of other platforms, which not every registry has.
  const flags = ["--no-save", "--no-audit", "--no-fund", "--loglevel=error"];
  const { status, signal } = spawnSync("npm", ["install", ...flags], { cwd: root, stdio: ["ignore", 2, 2] });
  if (signal !== null) process.exit(128 + (constants.signals[signal] ?? 0));
  if (status !== 0) fail("npm install failed; its messages are above", status ?? 1);
  console.error(`Installed npm packages in ${Math.round((Date.now() - startedAt) / 1000)} s`);
}

/** Examples import this package by its name, as they do where it is installed. */
function linkSelf() {
  try {
    symlinkSync("..", join(root, "node_modules", "pulumi-clusternet"), "dir");
  } catch (error) {
    if (error.code !== "EEXIST") fail(`Cannot link node_modules/pulumi-clusternet: ${error.message}`);
  }
}

function findNode() {
  const packageDirectory = join(root, "node_modules", "node");
  const candidates = [
    join(packageDirectory, "bin", "node"),
    join(root, "node_modules", `node-${process.platform}-${process.arch}`, "bin", "node"),
  ];
  const usable = () => [...candidates, process.execPath].find((path) => majorOf(path) === NODE_MAJOR);
  const found = usable();
  if (found !== undefined) return found;
  // npm was told not to run install scripts, and this package's script is what fetches the executable.
  const installer = join(packageDirectory, "installArchSpecificPackage.js");
  if (existsSync(installer)) {
    console.error(`Fetching Node ${NODE_MAJOR} (npm did not run the package's install script)`);
    spawnSync(process.execPath, [installer], { cwd: packageDirectory, stdio: ["ignore", 2, 2] });
  }
  return usable() ?? fail(`No Node ${NODE_MAJOR}: neither in node_modules nor the one that runs this (${process.version})`);
}

function majorOf(path) {
  if (path === process.execPath) return Number(process.versions.node.split(".")[0]);
  if (!existsSync(path)) return undefined;
  const { stdout } = spawnSync(path, ["--version"], { encoding: "utf8" });
  return Number(/^v(\d+)\./.exec(stdout ?? "")?.[1]);
}

function become(node, argv) {
  // A group of its own, so that the terminal's Ctrl-C arrives here only and is passed on exactly once.
  const child = spawn(node, argv, {
    stdio: "inherit",
    detached: true,
    env: { ...process.env, NODE_COMPILE_CACHE: compileCache },
  });
  const lastAt = {};
  for (const name of ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT"]) {
    process.on(name, () => {
      const now = Date.now();
      if (now - (lastAt[name] ?? 0) > SAME_SIGNAL_MS) child.kill(name);
      lastAt[name] = now;
    });
  }
  child.on("error", (error) => fail(`Cannot start ${node}: ${error.message}`));
  child.on("exit", (code, signal) => {
    if (signal === null) process.exit(code ?? 1);
    // Die of the same signal, so that our caller sees what happened.
    process.removeAllListeners(signal);
    process.kill(process.pid, signal);
  });
}

function readJson(name) {
  try {
    return JSON.parse(readFileSync(join(root, name), "utf8"));
  } catch {
    return undefined;
  }
}

function fail(message, code = 1) {
  console.error(message);
  process.exit(code);
}
