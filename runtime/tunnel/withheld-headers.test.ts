// What never crosses a tunnel in a header: credentials, identities, and what belongs to one connection.
import { expect, test } from "@jest/globals";
import { isWithheld } from "./withheld-headers.ts";

test.each([
  "authorization",
  "cookie",
  "proxy-authorization",
  "impersonate-user",
  "impersonate-extra-a%2fb",
  "x-remote-group",
  "te",
  "host",
])("%s is withheld", (name) => {
  expect(isWithheld(name)).toBe(true);
});

test.each(["accept", "content-type", "user-agent", "x-request-id", "x-stream-protocol-version", "authorization-hint"])(
  "%s passes",
  (name) => {
    expect(isWithheld(name)).toBe(false);
  },
);
