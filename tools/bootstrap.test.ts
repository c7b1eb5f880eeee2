// bootstrap.mjs in a repository of its own, with an npm that only pretends: what is installed when, and exact exit codes and signals.
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { chmodSync, cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";

let root: string;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "clusternet-bootstrap-"));
  mkdirSync(join(root, "tools"));
  mkdirSync(join(root, "bin"));
  cpSync(join(import.meta.dirname, "bootstrap.mjs"), join(root, "tools", "bootstrap.mjs"));
  writeFileSync(join(root, "package-lock.json"), lockOf("1.0.0"));
  // Installs the packages of the lock file, and a Node.
  writeFileSync(
    join(root, "bin", "npm"),
    `#!/bin/sh\necho "$*" >> npm.log\nmkdir -p node_modules/node/bin\ncp package-lock.json node_modules/.package-lock.json\nln -sf "${process.execPath}" node_modules/node/bin/node\n`,
  );
  chmodSync(join(root, "bin", "npm"), 0o755);
});
afterEach(() => {
  rmSync(root, { recursive: true });
});

function lockOf(version: string): string {
  const packages = { "": {}, "node_modules/zod": { version }, "node_modules/elsewhere": { version: "1.0.0", optional: true } };
  return JSON.stringify({ packages });
}

interface StartOptions {
  readonly argv?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
}

function start(script: string, { argv = [], environment = {} }: StartOptions = {}): ChildProcess {
  writeFileSync(join(root, "script.mjs"), script);
  return spawn(process.execPath, [join(root, "tools", "bootstrap.mjs"), "script.mjs", ...argv], {
    stdio: ["ignore", "pipe", "pipe"],
    env: { PATH: `${join(root, "bin")}:/usr/bin:/bin`, ...environment },
  });
}

const ended = async (child: ChildProcess): Promise<unknown[]> => once(child, "exit");
const npmLog = (): string => (existsSync(join(root, "npm.log")) ? readFileSync(join(root, "npm.log"), "utf8") : "");

describe("bootstrap.mjs", () => {
  test("installs packages when there are none, and again only when the lock file asks for others", async () => {
    expect(await ended(start("process.exit(0)"))).toEqual([0, null]);
    expect(npmLog()).toBe("install --no-save --no-audit --no-fund --loglevel=error\n");
    expect(await ended(start("process.exit(0)"))).toEqual([0, null]);
    expect(npmLog()).toBe("install --no-save --no-audit --no-fund --loglevel=error\n");
    writeFileSync(join(root, "package-lock.json"), lockOf("2.0.0"));
    await ended(start("process.exit(0)"));
    expect(npmLog()).toBe("install --no-save --no-audit --no-fund --loglevel=error\n".repeat(2));
  });

  test("runs the package's own installer when npm ran no install scripts", async () => {
    const directory = join(root, "node_modules", "node");
    mkdirSync(directory, { recursive: true });
    cpSync(join(root, "package-lock.json"), join(root, "node_modules", ".package-lock.json"));
    writeFileSync(join(directory, "installArchSpecificPackage.js"), `require("node:fs").writeFileSync("ran", "")`);
    // Pretends that the Node which runs this is too old.
    const bootstrap = readFileSync(join(root, "tools", "bootstrap.mjs"), "utf8").replace("NODE_MAJOR = 24", "NODE_MAJOR = 99");
    writeFileSync(join(root, "tools", "bootstrap.mjs"), bootstrap);
    const child = start("process.exit(0)");
    child.stderr?.setEncoding("utf8");
    let message = "";
    child.stderr?.on("data", (text: string) => (message += text));
    expect(await ended(child)).toEqual([1, null]);
    expect(existsSync(join(directory, "ran"))).toBe(true);
    expect(message).toMatch(/No Node 99/);
  });

  test("passes arguments on and ends with the script's exit code", async () => {
    const child = start("console.log(process.argv.slice(2).join('|')); process.exitCode = 7", {
      argv: ["--json", "a b"],
    });
    const [line] = (await once(child.stdout ?? child, "data")) as [Buffer];
    expect(line.toString()).toBe("--json|a b\n");
    expect(await ended(child)).toEqual([7, null]);
  });

  test("gives every process one place for compiled code, or the one that the caller chose", async () => {
    const script = "console.log(process.env.NODE_COMPILE_CACHE)";
    const told = async (environment: Record<string, string>): Promise<string> => {
      const child = start(script, { environment });
      const [line] = (await once(child.stdout ?? child, "data")) as [Buffer];
      await ended(child);
      return line.toString().trim();
    };
    expect(await told({})).toBe(join(root, "node_modules", ".cache", "node-compile"));
    expect(await told({ NODE_COMPILE_CACHE: "/elsewhere" })).toBe("/elsewhere");
  });

  test("passes a signal on once, however often it arrives at that moment, and waits for the script's own end", async () => {
    const child = start(
      "let n = 0; process.on('SIGINT', () => { n += 1; setTimeout(() => process.exit(40 + n), 500) }); setInterval(() => 0, 1000); console.log('up')",
    );
    await once(child.stdout ?? child, "data");
    child.kill("SIGINT");
    // Later than at once, or the kernel makes one of the two.
    await new Promise((resolve) => setTimeout(resolve, 50));
    child.kill("SIGINT");
    expect(await ended(child)).toEqual([41, null]);
  });

  test("dies of the signal that its script died of", async () => {
    const child = start("console.log('up'); setInterval(() => 0, 1000)");
    await once(child.stdout ?? child, "data");
    child.kill("SIGTERM");
    expect(await ended(child)).toEqual([null, "SIGTERM"]);
  });

  test("says so when npm install fails", async () => {
    writeFileSync(join(root, "bin", "npm"), "#!/bin/sh\nexit 5\n");
    expect(await ended(start("process.exit(0)"))).toEqual([5, null]);
  });
});
