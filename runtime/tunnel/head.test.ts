import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { ProtocolError } from "./frame.ts";
import { agree, decodeHello, encodeHello } from "./handshake.ts";
import { decodeRequestHead, decodeResponseHead, encodeRequestHead, encodeResponseHead, type RequestHead } from "./head.ts";
import { DEFAULT_LIMITS } from "./limits.ts";

const flatHeaders = fc.array(fc.tuple(fc.string(), fc.string()), { maxLength: 8 }).map((pairs) => pairs.flat());

const heads: fc.Arbitrary<RequestHead> = fc
  .record({
    kind: fc.constantFrom("request" as const, "upgrade" as const, "dial" as const),
    target: fc.string(),
    method: fc.string(),
    path: fc.string({ unit: "binary" }),
    headers: flatHeaders,
    identity: fc.record({
      user: fc.string({ unit: "grapheme" }),
      uid: fc.string(),
      groups: fc.array(fc.string()),
      extra: fc.dictionary(fc.string(), fc.array(fc.string())),
    }),
    credential: fc.string(),
    requestId: fc.string(),
  })
  .map(({ credential, requestId, ...head }) => ({
    ...head,
    ...(credential === "" ? {} : { credential }),
    ...(requestId === "" ? {} : { requestId }),
  }));

test("a request head keeps every value", () => {
  fc.assert(
    fc.property(heads, (head) => {
      const decoded = decodeRequestHead(Buffer.from(encodeRequestHead(head)));
      expect(JSON.stringify(decoded)).toEqual(JSON.stringify(head));
    }),
  );
});

test("a response head keeps every value", () => {
  fc.assert(
    fc.property(fc.integer({ min: 100, max: 999 }), flatHeaders, (status, headers) => {
      expect(decodeResponseHead(Buffer.from(encodeResponseHead({ status, headers })))).toEqual({ status, headers });
    }),
  );
});

test("any JSON and any bytes are a head or a ProtocolError", () => {
  const decoders = [decodeRequestHead, decodeResponseHead, decodeHello];
  const payloads = fc.oneof(
    fc.json().map((text) => Buffer.from(text)),
    fc.uint8Array().map((bytes) => Buffer.from(bytes)),
  );
  fc.assert(
    fc.property(payloads, fc.constantFrom(...decoders), (payload, decode) => {
      try {
        decode(payload);
      } catch (error) {
        expect(error).toBeInstanceOf(ProtocolError);
      }
    }),
  );
});

const hello = { versions: [1], features: [], limits: DEFAULT_LIMITS };

test("the smaller limit counts, whoever has it", () => {
  const theirs = { ...hello, features: ["dial", "later"], limits: { ...DEFAULT_LIMITS, streamsMax: 5, creditBytesMax: 100_000 } };
  for (const [a, b] of [
    [hello, theirs],
    [theirs, hello],
  ] as const) {
    expect(agree(a, decodeHello(encodeHello(b)))).toMatchObject({
      agreed: true,
      agreement: {
        version: 1,
        limits: { ...DEFAULT_LIMITS, streamsMax: 5, creditBytesMax: 100_000, creditInitialBytes: 100_000 },
      },
    });
  }
});

test("the best common version is used, and members of later versions are ignored", () => {
  const later = Buffer.from(JSON.stringify({ ...hello, versions: [3, 2, 1], future: true }));
  expect(agree({ ...hello, versions: [2, 1] }, decodeHello(later))).toMatchObject({ agreed: true, agreement: { version: 2 } });
});

test("limits that leave no room to work are refused", () => {
  const tiny = { ...hello, limits: { ...DEFAULT_LIMITS, framePayloadBytesMax: 1 } };
  expect(agree(hello, tiny)).toEqual({ agreed: false, reason: "Limit framePayloadBytesMax of 1 is below 1024" });
});
