// parseOptions: one zod object is the flags, their checks and their messages.
import { describe, expect, test } from "@jest/globals";
import * as z from "zod";
import { booleanOption, durationOption, listOption, OptionsError, parseOptions } from "#std/options.ts";

const shape = {
  name: "hub",
  description: "Test component",
  version: "1.2.3",
  schema: z.object({
    securePort: z.coerce.number().int().min(1).max(65_535).default(8443).describe("Port"),
    autoApprove: booleanOption(true).describe("Approve"),
    reportFrequency: durationOption("3m0s").describe("How often"),
    labels: listOption().describe("Labels"),
    regToken: z
      .string()
      .regex(/^[a-z]+$/)
      .default("abc")
      .meta({ env: "REG_TOKEN" })
      .describe("Token"),
  }),
};

describe("parseOptions", () => {
  test("gives defaults when nothing is said", () => {
    expect(parseOptions(shape, [], {})).toEqual({
      securePort: 8443,
      autoApprove: true,
      reportFrequency: 180_000,
      labels: [],
      regToken: "abc",
    });
  });

  test("accepts both forms of a flag, repeated flags and bare booleans", () => {
    const argv = [
      "--secure-port",
      "1",
      "--auto-approve=false",
      "--labels=a=b,c=d",
      "--labels",
      "e=f",
      "--report-frequency=1m500ms",
    ];
    expect(parseOptions(shape, argv, {})).toMatchObject({
      securePort: 1,
      autoApprove: false,
      labels: ["a=b", "c=d", "e=f"],
      reportFrequency: 60_500,
    });
    expect(parseOptions(shape, ["--auto-approve"], {})).toMatchObject({ autoApprove: true });
  });

  test("a flag wins over the environment", () => {
    expect(parseOptions(shape, ["--reg-token=flag"], { REG_TOKEN: "env" }).regToken).toBe("flag");
    expect(parseOptions(shape, [], { REG_TOKEN: "env" }).regToken).toBe("env");
  });

  test.each([
    { argv: ["--secure-port=70000"], says: /--secure-port: .*65535.*got "70000"/ },
    {
      argv: ["--report-frequency=3 minutes"],
      says: /--report-frequency: Expected a duration such as 20s or 3m0s, got "3 minutes"/,
    },
    { argv: ["--auto-approve=maybe"], says: /--auto-approve: Expected true or false/ },
    { argv: ["--securePort=1"], says: /unknown option/ },
  ])("refuses $argv with the flag and the cause", ({ argv, says }) => {
    expect(() => parseOptions(shape, argv, {})).toThrow(OptionsError);
    expect(() => parseOptions(shape, argv, {})).toThrow(says);
  });

  test("never repeats what may be a credential", () => {
    expect(() => parseOptions(shape, ["--reg-token=S3CRET"], {})).toThrow(/--reg-token/);
    expect(() => parseOptions(shape, ["--reg-token=S3CRET"], {})).not.toThrow(/S3CRET/);
  });
});
