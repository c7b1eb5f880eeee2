// The files that the scheduler asks predictors straight with: which options go together, and what happens while files are replaced.

import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { parseSchedulerOptions } from "#scheduler/options.ts";
import { readStraightCredentials } from "#scheduler/straight-credentials.ts";
import { createCertificateAuthority, issueCertificate } from "#std/certificates.ts";
import { silentLogger } from "#std/log.ts";
import { createFakeClock } from "#test/framework/fake-clock.ts";

const { signal } = new AbortController();
const clock = createFakeClock();
const deps = { clock, log: silentLogger };
let directory: string;
const file = (name: string): string => join(directory, name);

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "clusternet-straight-"));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

async function write(commonName: string): Promise<{ readonly ca: string; readonly certificate: string }> {
  const authority = await createCertificateAuthority({ commonName: "ca", validDays: 1 });
  const pair = await issueCertificate(authority, { commonName, usages: ["client"], validDays: 1 });
  await writeFile(file("ca.crt"), authority.certificatePem);
  await writeFile(file("tls.crt"), pair.certificatePem);
  await writeFile(file("tls.key"), pair.privateKeyPem);
  return { ca: authority.certificatePem, certificate: pair.certificatePem };
}

const optionsOf = (): ReturnType<typeof parseSchedulerOptions> =>
  parseSchedulerOptions(
    [
      `--predictor-ca-file=${file("ca.crt")}`,
      `--predictor-client-cert-file=${file("tls.crt")}`,
      `--predictor-client-key-file=${file("tls.key")}`,
    ],
    {},
  );

test("files that are replaced are used within a minute; one that is bad meanwhile leaves the last ones in use", async () => {
  const first = await write("one");
  const source = await readStraightCredentials(optionsOf(), deps);
  const now = async (): Promise<unknown> => source?.read(signal);
  const shown = ({ ca, certificate }: typeof first): object => ({
    headers: {},
    caPem: ca,
    clientCertificate: { certificatePem: certificate },
  });
  await expect(now()).resolves.toMatchObject(shown(first));
  const second = await write("two");
  await expect(now()).resolves.toMatchObject(shown(first));
  await clock.advance(60_000);
  await expect(now()).resolves.toMatchObject(shown(second));
  await writeFile(file("tls.key"), "half of a key");
  await clock.advance(60_000);
  await expect(now()).resolves.toMatchObject(shown(second));
});

test("without an authority nobody is asked straight; without a certificate of its own the scheduler shows none", async () => {
  await expect(readStraightCredentials(parseSchedulerOptions([], {}), deps)).resolves.toBeUndefined();
  const { ca } = await write("one");
  const source = await readStraightCredentials(parseSchedulerOptions([`--predictor-ca-file=${file("ca.crt")}`], {}), deps);
  await expect(source?.read(signal)).resolves.toEqual({ headers: {}, caPem: ca, clientCertificate: undefined });
});

test("files that are bad at the start stop it, by the name of the option", async () => {
  await expect(readStraightCredentials(optionsOf(), deps)).rejects.toThrow(
    /--predictor-(ca|client-cert|client-key)-file: .*ENOENT/,
  );
});

test.each([
  [["--predictor-client-cert-file=a"], /--predictor-client-key-file: Not given; name the key/],
  [["--predictor-client-key-file=a"], /--predictor-client-cert-file: Not given; name the certificate/],
  [
    ["--predictor-client-cert-file=a", "--predictor-client-key-file=b"],
    /--predictor-ca-file: Not given, so nobody is asked straight/,
  ],
])("%j is refused", (argv, says) => {
  expect(() => parseSchedulerOptions(argv, {})).toThrow(says);
});
