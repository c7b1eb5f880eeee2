// The logger: one JSON object a line, and no secret in it.
import { describe, expect, test } from "@jest/globals";
import { createLogger, type Logger } from "#std/log.ts";

function aLogger(): { log: Logger; lines: Record<string, unknown>[] } {
  const lines: Record<string, unknown>[] = [];
  const destination = { write: (line: string) => lines.push(JSON.parse(line) as Record<string, unknown>) };
  return { log: createLogger({ component: "test", destination }), lines };
}

describe("a log line", () => {
  test("is the event and its fields", () => {
    const { log, lines } = aLogger();
    log.with({ controller: "x" }).info("thing.changed", { name: "a", count: 1 });
    expect(lines).toEqual([
      expect.objectContaining({ level: "info", component: "test", controller: "x", event: "thing.changed", name: "a", count: 1 }),
    ]);
  });

  test.each([
    { token: "S3CRET" },
    { authorization: "Bearer S3CRET" },
    { request: { authorization: "S3CRET", path: "/" } },
    { user: { password: "S3CRET" } },
  ])("says [secret] instead of the secret in %j", (fields) => {
    const { log, lines } = aLogger();
    log.info("thing.happened", fields);
    log.with(fields).warn("thing.happened");
    expect(lines).toHaveLength(2);
    expect(JSON.stringify(lines)).not.toContain("S3CRET");
    expect(JSON.stringify(lines).match(/\[secret\]/g)).toHaveLength(2);
  });

  test("changes nothing in what it was given", () => {
    const fields = { request: { token: "S3CRET" } };
    aLogger().log.info("thing.happened", fields);
    expect(fields).toEqual({ request: { token: "S3CRET" } });
  });

  test("shows an error as its chain of messages", () => {
    const { log, lines } = aLogger();
    log.error("thing.failed", { error: new Error("Cannot do it", { cause: new Error("no disk") }) });
    expect(lines[0]).toMatchObject({ error: "Cannot do it: no disk" });
  });
});
