// What helm and charts print -> the same without the credentials in the values, because a status is read by many. Pure.

import type { HelmRelease } from "#api/apps/v1alpha1/helm-release.ts";

type Status = NonNullable<HelmRelease["status"]>;

/** Where values hold credentials, whether they should or not. */
const SENSITIVE_KEY = /pass|secret|token|credential|private|auth|key$|cert|dsn|connection/i;
/** Shorter ones are words of every message. */
const CREDENTIAL_CHARS_MIN = 4;
const HIDDEN = "[hidden]";

/** `overrides`: the values of the HelmRelease, base64. */
export function hideCredentials(text: string, overrides: string | undefined): string {
  let hidden = text;
  for (const credential of credentialsIn(overrides)) hidden = hidden.replaceAll(credential, HIDDEN);
  return hidden;
}

/** Every text in it that helm or the chart wrote. */
export function statusWithoutCredentials(status: Status, overrides: string | undefined): Status {
  const { description, notes, conditions } = status;
  const hide = (text: string): string => hideCredentials(text, overrides);
  return {
    ...status,
    ...(description === undefined ? {} : { description: hide(description) }),
    ...(notes === undefined ? {} : { notes: hide(notes) }),
    ...(conditions === undefined ? {} : { conditions: conditions.map((each) => ({ ...each, message: hide(each.message) })) }),
  };
}

/** The longest first: one may be part of another. */
function credentialsIn(overrides: string | undefined): readonly string[] {
  const found = new Set<string>();
  const visit = (value: unknown, isSensitive: boolean): void => {
    if (typeof value === "string") {
      if (!isSensitive || value.length < CREDENTIAL_CHARS_MIN) return;
      found.add(value);
      found.add(Buffer.from(value, "utf8").toString("base64"));
    } else if (Array.isArray(value)) for (const each of value as readonly unknown[]) visit(each, isSensitive);
    else if (typeof value === "object" && value !== null) {
      for (const [key, each] of Object.entries(value)) visit(each, isSensitive || SENSITIVE_KEY.test(key));
    }
  };
  visit(parsed(overrides), false);
  return [...found].toSorted((a, b) => b.length - a.length);
}

function parsed(overrides: string | undefined): unknown {
  try {
    return JSON.parse(Buffer.from(overrides ?? "", "base64").toString("utf8"));
  } catch {
    return undefined;
  }
}
