// Our expression for repositories accepts what upstream's accepts, and answers at once where upstream's would not.

import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";

import { REPO_PATTERN, repoRegExp } from "./helm-options.ts";

const upstream = new RegExp(REPO_PATTERN);

describe("repo", () => {
  test("every character", () => {
    for (let code = 0; code < 0x250; code += 1) {
      const url = `https://${String.fromCharCode(code)}`;
      expect([url, repoRegExp.test(url)]).toEqual([url, upstream.test(url)]);
    }
  });

  test("any short text", () => {
    fc.assert(
      fc.property(fc.constantFrom("", "http", "https", "oci", "ftp"), fc.string({ maxLength: 8 }), (scheme, rest) => {
        const url = `${scheme}://${rest}`;
        expect(repoRegExp.test(url)).toBe(upstream.test(url));
      }),
    );
  });

  test.each(["https://charts.example.com/stable", "oci://registry.example.com:5000/charts", "://x", "http://a%20b"])(
    "%s",
    (url) => {
      expect(repoRegExp.test(url)).toBe(true);
    },
  );

  test("long bad input does not hang", () => {
    expect(repoRegExp.test(`https://${"A".repeat(100_000)} `)).toBe(false);
  });
});
