import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { testGolden } from "#test/framework/golden.ts";
import {
  decodeMessage,
  encodeFrame,
  encodeVarint,
  type Frame,
  FrameType,
  ProtocolError,
  splitVarint,
  STREAM_ID_MAX,
} from "./frame.ts";

testGolden("tunnel/frames.md", (lines) => {
  const message = Buffer.from(lines.join("").replaceAll(" ", ""), "hex");
  try {
    return decodeMessage(message).map(shown);
  } catch (error) {
    return [`error ${error instanceof ProtocolError ? error.message : String(error)}`];
  }
});

const frames: fc.Arbitrary<Frame> = fc.record({
  type: fc.constantFrom(...Object.values(FrameType)),
  streamId: fc.integer({ min: 0, max: STREAM_ID_MAX }),
  end: fc.boolean(),
  payload: fc.uint8Array({ maxLength: 40_000 }).map((bytes) => Buffer.from(bytes)),
});

describe("the frame codec", () => {
  test("gives back every sequence of frames, however they are grouped into messages", () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(frames, fc.boolean()), { minLength: 1, maxLength: 12 }), (sequence) => {
        const messages: Buffer[][] = [[]];
        for (const [frame, startsMessage] of sequence) {
          if (startsMessage && messages.at(-1)?.length !== 0) messages.push([]);
          messages.at(-1)?.push(encodeFrame(frame));
        }
        const decoded = messages.flatMap((parts) => decodeMessage(Buffer.concat(parts)));
        expect(decoded).toEqual(sequence.map(([frame]) => frame));
      }),
    );
  });

  test("answers any bytes with frames or a ProtocolError, never with anything else", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        const message = Buffer.from(bytes);
        try {
          // What was accepted has only one spelling.
          expect(Buffer.concat(decodeMessage(message).map(encodeFrame)).equals(message)).toBe(true);
        } catch (error) {
          expect(error).toBeInstanceOf(ProtocolError);
        }
      }),
      { numRuns: 500 },
    );
  });

  test("numbers keep their value", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: STREAM_ID_MAX }), (value) => {
        expect(splitVarint(encodeVarint(value))).toEqual({ value, rest: Buffer.alloc(0) });
      }),
    );
  });
});

function shown({ type, streamId, end, payload }: Frame): string {
  const name = Object.entries(FrameType).find(([, value]) => value === type)?.[0] ?? "";
  const text = payload.toString("latin1");
  const content = /^[\x20-\x7e]*$/.test(text) ? JSON.stringify(text).replaceAll('\\"', '"') : `hex ${payload.toString("hex")}`;
  return [name, streamId, ...(end ? ["END"] : []), content].join(" ");
}
