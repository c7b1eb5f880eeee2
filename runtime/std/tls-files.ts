// Certificates, keys and authorities that lie in files. What is wrong with one says which option named it, why, and what to do.

import { createPrivateKey, X509Certificate, type KeyObject } from "node:crypto";
import { readFile } from "node:fs/promises";
import type { CertificateWithKey } from "./certificates.ts";
import { splitPem } from "./peer-certificate.ts";

export interface TlsFile {
  /** As people give it: `--predictor-cert-file`. */
  readonly option: string;
  readonly path: string;
}

/** Bad files: the option, the path, the cause and the way out; never anything that is in them. */
export class TlsFileError extends Error {
  override readonly name = "TlsFileError";
}

/** The certificate (its intermediates may follow it) and the key that belongs to it. */
export async function readCertificateWithKey({
  certificate,
  key,
}: {
  readonly certificate: TlsFile;
  readonly key: TlsFile;
}): Promise<CertificateWithKey> {
  const [certificatePem, privateKeyPem] = await Promise.all([readText(certificate), readText(key)]);
  const [leaf] = certificatesIn(certificatePem, certificate);
  if (leaf?.checkPrivateKey(privateKeyIn(privateKeyPem, key)) !== true) {
    const pair = `${certificate.path} (${certificate.option})`;
    throw new TlsFileError(
      `${key.option}: ${key.path} is not the key of the certificate in ${pair}; name the two files of one pair`,
    );
  }
  return { certificatePem, privateKeyPem };
}

/** PEM of one authority or of several, as while one takes over from another. */
export async function readAuthorities(file: TlsFile): Promise<string> {
  const pem = await readText(file);
  certificatesIn(pem, file);
  return pem;
}

async function readText({ option, path }: TlsFile): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    const code = typeof error === "object" && error !== null && "code" in error ? String(error.code) : "no reason";
    throw new TlsFileError(`${option}: ${path} cannot be read (${code}); mount the file there, or name the one that is meant`, {
      cause: error,
    });
  }
}

function certificatesIn(pem: string, { option, path }: TlsFile): readonly X509Certificate[] {
  const blocks = splitPem(pem);
  try {
    if (blocks.length > 0) return blocks.map((block) => new X509Certificate(block));
  } catch (error) {
    throw new TlsFileError(`${option}: ${path} holds a damaged certificate; write it again, as PEM`, { cause: error });
  }
  throw new TlsFileError(`${option}: ${path} holds no certificate; name a file with PEM text (-----BEGIN CERTIFICATE-----)`);
}

function privateKeyIn(pem: string, { option, path }: TlsFile): KeyObject {
  try {
    return createPrivateKey(pem);
  } catch {
    // Without the cause: it is about what the file holds.
    throw new TlsFileError(`${option}: ${path} holds no private key that can be used; name one as PEM, without a passphrase`);
  }
}
