// Files of certificates: what is accepted, and that every complaint names option, file, cause and way out, but nothing of a key.

import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { createCertificateAuthority, issueCertificate, type CertificateWithKey } from "#std/certificates.ts";
import { readAuthorities, readCertificateWithKey } from "#std/tls-files.ts";

let directory: string;
let pair: CertificateWithKey;
let caPem: string;
const file = (name: string): string => join(directory, name);

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "clusternet-tls-files-"));
  const authority = await createCertificateAuthority({ commonName: "ca", validDays: 1 });
  const issue = (): Promise<CertificateWithKey> =>
    issueCertificate(authority, { commonName: "x", usages: ["server"], validDays: 1 });
  pair = await issue();
  caPem = authority.certificatePem;
  const texts = {
    "tls.crt": pair.certificatePem,
    "tls.key": pair.privateKeyPem,
    "other.key": (await issue()).privateKeyPem,
    "chain.crt": `${pair.certificatePem}${caPem}`,
    "ca.crt": `# the old one, then the new one\n${caPem}${caPem}`,
    "damaged.crt": "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n",
    text: "S3CRET",
  };
  for (const [name, text] of Object.entries(texts)) await writeFile(file(name), text);
});

afterAll(() => rm(directory, { recursive: true, force: true }));

const read = (certificate: string, key: string): Promise<CertificateWithKey> =>
  readCertificateWithKey({
    certificate: { option: "--cert-file", path: file(certificate) },
    key: { option: "--key-file", path: file(key) },
  });

test("a certificate and its key, with or without its intermediates, and several authorities", async () => {
  await expect(read("tls.crt", "tls.key")).resolves.toEqual(pair);
  await expect(read("chain.crt", "tls.key")).resolves.toMatchObject({ privateKeyPem: pair.privateKeyPem });
  await expect(readAuthorities({ option: "--ca-file", path: file("ca.crt") })).resolves.toContain(caPem);
});

test.each([
  ["absent.crt", "tls.key", /^--cert-file: .*absent\.crt cannot be read \(ENOENT\); mount the file/],
  ["text", "tls.key", /^--cert-file: .*text holds no certificate; name a file with PEM text/],
  ["damaged.crt", "tls.key", /^--cert-file: .*damaged\.crt holds a damaged certificate; write it again/],
  ["tls.crt", "text", /^--key-file: .*text holds no private key that can be used; name one as PEM/],
  [
    "tls.crt",
    "other.key",
    /^--key-file: .*other\.key is not the key of .*tls\.crt \(--cert-file\); name the two files of one pair/,
  ],
])("%s with %s is refused", async (certificate, key, says) => {
  const error = await read(certificate, key).catch((reason: unknown) => reason as Error);
  expect(error).toMatchObject({ name: "TlsFileError", message: expect.stringMatching(says) });
  expect(JSON.stringify([error, (error as Error).cause])).not.toContain("S3CRET");
});
