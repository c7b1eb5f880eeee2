// userOfHeaders: what the front proxy says, each value by itself.
import { describe, expect, test } from "@jest/globals";
import { makeUser, userOfHeaders } from "./authenticate.ts";
import { parseClientTrust } from "./client-trust.ts";

const trust = parseClientTrust({
  "requestheader-allowed-names": '["front-proxy-client"]',
  "requestheader-username-headers": '["X-Remote-User"]',
  "requestheader-group-headers": '["X-Remote-Group"]',
  "requestheader-extra-headers-prefix": '["X-Remote-Extra-"]',
});

describe("userOfHeaders", () => {
  test("reads groups as separate values, commas and all", () => {
    const user = userOfHeaders(["X-Remote-User", "ana", "X-Remote-Group", "a,system:masters", "x-remote-group", "b, c"], trust);
    expect(user).toMatchObject({ name: "ana", groups: ["a,system:masters", "b, c", "system:authenticated"] });
  });

  test("decodes the names of extra fields and keeps their values apart", () => {
    const user = userOfHeaders(
      ["X-Remote-User", "ana", "X-Remote-Extra-Example.org%2fScopes", "a,b", "X-Remote-Extra-example.org%2Fscopes", "c"],
      trust,
    );
    expect(user?.extra).toEqual({ "example.org/scopes": ["a,b", "c"] });
  });

  test("reads header bytes as UTF-8", () => {
    expect(userOfHeaders(["X-Remote-User", "josÃ©"], trust)?.name).toBe("josé");
  });

  test("reads a uid only from a header that is declared", () => {
    const raw = ["X-Remote-User", "ana", "X-Remote-Uid", "u-1"];
    expect(userOfHeaders(raw, trust)?.uid).toBe("");
    const declared = parseClientTrust({
      "requestheader-username-headers": '["X-Remote-User"]',
      "requestheader-uid-headers": '["X-Remote-Uid"]',
    });
    expect(userOfHeaders(raw, declared)?.uid).toBe("u-1");
  });

  test.each([[[]], [["X-Remote-Group", "a"]], [["X-Remote-User", ""]]])("knows nobody in %j", (raw) => {
    expect(userOfHeaders(raw, trust)).toBeUndefined();
  });
});

describe("makeUser", () => {
  test("puts everybody but the anonymous into system:authenticated", () => {
    const base = { uid: "", extra: {} };
    expect(makeUser({ name: "ana", groups: [], ...base }).groups).toEqual(["system:authenticated"]);
    expect(makeUser({ name: "system:anonymous", groups: ["system:unauthenticated"], ...base }).groups).toEqual([
      "system:unauthenticated",
    ]);
  });

  test("gives different users different keys, however their names are split", () => {
    const base = { uid: "", extra: {} };
    const keys = [["a,b"], ["a", "b"], ['a","b']].map((groups) => makeUser({ name: "x", groups, ...base }).key);
    expect(new Set(keys).size).toBe(3);
  });
});
