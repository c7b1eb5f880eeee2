// nextAuthorityStep: an authority is replaced without a moment in which a client cannot verify the hub.
import { describe, expect, test } from "@jest/globals";
import { nextAuthorityStep, trustedPems, type Authorities, type Authority } from "./serving-authority.ts";

const day = 86_400_000;
const overlapMs = 3_600_000;

function anAuthority(over: Partial<Authority> = {}): Authority {
  return { certificatePem: "CURRENT", privateKeyPem: "k", createdAtMs: 0, expiresAtMs: 90 * day, ...over };
}

function step(authorities: Authorities | undefined, nowMs: number, isPublished = true): string {
  const next = nextAuthorityStep(authorities, { nowMs, overlapMs, isPublished });
  return next.type === "wait" ? `wait until day ${String(next.untilMs / day)}` : next.type;
}

describe("nextAuthorityStep", () => {
  const current = anAuthority();
  const next = anAuthority({ certificatePem: "NEXT", createdAtMs: 60 * day, expiresAtMs: 150 * day });
  const cases: [string, Authorities | undefined, number, string][] = [
    ["makes the first authority", undefined, 0, "create"],
    ["leaves a young one alone", { current }, day, "wait until day 60"],
    ["stages a second one in the last third", { current }, 60 * day, "stage"],
    ["waits for the overlap before it signs", { current, next }, 60 * day, `wait until day ${String(60 + 1 / 24)}`],
    ["promotes it after the overlap", { current, next }, 60 * day + overlapMs, "promote"],
    [
      "promotes it at once when the old one has expired",
      { current, next: { ...next, createdAtMs: 90 * day } },
      90 * day,
      "promote",
    ],
    ["starts anew when everything expired while the hub was off", { current }, 91 * day, "create"],
    [
      "keeps the previous one trusted",
      { current: next, previousPem: "CURRENT", previousExpiresAtMs: 90 * day },
      70 * day,
      "wait until day 90",
    ],
    [
      "forgets the previous one when it expired",
      { current: next, previousPem: "CURRENT", previousExpiresAtMs: 90 * day },
      90 * day,
      "forget",
    ],
  ];
  test.each(cases.map(([it, authorities, nowMs, expected]) => ({ it, authorities, nowMs, expected })))("$it", (given) => {
    expect(step(given.authorities, given.nowMs)).toBe(given.expected);
  });

  test("does not promote what clients are not told to trust, unless the old one has expired", () => {
    expect(step({ current, next }, 61 * day, false)).toBe(`wait until day ${String(61 + 1 / 24)}`);
    expect(step({ current, next }, 90 * day - overlapMs / 2, false)).toBe("wait until day 90");
    expect(step({ current, next }, 90 * day, false)).toBe("promote");
  });

  test("trusts every authority that has signed or will sign", () => {
    expect(trustedPems({ current, next, previousPem: "OLD" })).toBe("CURRENT\nNEXT\nOLD\n");
  });
});
