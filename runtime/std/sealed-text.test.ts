// Sealed texts: only the private key of the pair opens them, and a bad key is refused without repeating it.
import { describe, expect, test } from "@jest/globals";
import { createSealingKeys, keyFingerprint, openSealedText, sealedLabel, sealText, SealingKeyError } from "#std/sealed-text.ts";

describe("sealed text", () => {
  test("is read by the holder of the private key, and does not contain the text", async () => {
    const keys = await createSealingKeys();
    const sealed = await sealText("a token", keys);
    expect(sealed.split(".")).toHaveLength(5);
    expect(Buffer.from(sealed.replaceAll(".", ""), "base64url").toString("latin1")).not.toContain("a token");
    await expect(openSealedText(sealed, keys.privateKey)).resolves.toBe("a token");
  });

  test("is not read with another key, nor after a change", async () => {
    const [keys, other] = await Promise.all([createSealingKeys(), createSealingKeys()]);
    const sealed = await sealText("a token", keys);
    await expect(openSealedText(sealed, other.privateKey)).rejects.toThrow();
    const changed = sealed.slice(0, -2) + (sealed.endsWith("AA") ? "BB" : "AA");
    await expect(openSealedText(changed, keys.privateKey)).rejects.toThrow();
  });

  test("carries a label that everyone can read and nobody can change", async () => {
    const keys = await createSealingKeys();
    const sealed = await sealText("a token", { ...keys, label: { account: "1234" } });
    expect(sealedLabel(sealed)).toEqual({ account: "1234" });
    expect(sealedLabel("not sealed")).toBeUndefined();
    const [header = "", ...rest] = sealed.split(".");
    const forged = Buffer.from(Buffer.from(header, "base64url").toString().replace("1234", "5678")).toString("base64url");
    await expect(openSealedText([forged, ...rest].join("."), keys.privateKey)).rejects.toThrow();
  });

  test("the public key reveals nothing private", async () => {
    const { publicKey } = await createSealingKeys();
    expect(Object.keys(JSON.parse(publicKey) as object).sort()).toEqual(["crv", "kty", "x", "y"]);
  });

  test("one key has one fingerprint, whatever else its JWK says", async () => {
    const { publicKey } = await createSealingKeys();
    const respelled = JSON.stringify({ use: "enc", ...(JSON.parse(publicKey) as object), kid: "x" });
    expect(keyFingerprint(respelled)).toBe(keyFingerprint(publicKey));
    expect(keyFingerprint((await createSealingKeys()).publicKey)).not.toBe(keyFingerprint(publicKey));
  });

  test.each([
    ["not JSON", "S3CRET"],
    ["an RSA key", JSON.stringify({ kty: "RSA", n: "S3CRET", e: "AQAB" })],
    [
      "a point that is not on the curve",
      JSON.stringify({ kty: "EC", crv: "P-256", x: "A".repeat(43), y: "S3CRET".padEnd(43, "A") }),
    ],
    ["an array", "[1]"],
  ])("%s is refused", async (_what, key) => {
    const error = await sealText("a token", { publicKey: key }).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(SealingKeyError);
    expect(String(error)).not.toContain("S3CRET");
  });
});
