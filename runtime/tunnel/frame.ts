// Bytes <-> frames. Pure. One transport message is one or more whole frames:
//
//   frame := flags|type (u8)   stream id (varint)   payload length (varint)   payload
//
// Varints are unsigned, base 128, low group first, at most 32 bits, in their shortest form.

export const FrameType = { hello: 1, open: 2, head: 3, data: 4, credit: 5, reset: 6, goaway: 7 } as const;
export type FrameType = (typeof FrameType)[keyof typeof FrameType];

export interface Frame {
  readonly type: FrameType;
  /** 0: the session itself. */
  readonly streamId: number;
  /** The sender's direction of the stream is complete with this frame. */
  readonly end: boolean;
  /** A slice of the message, not a copy. */
  readonly payload: Buffer;
}

/** 1 byte of type, a stream id and a length of at most 5 bytes each. */
export const FRAME_HEADER_BYTES_MAX = 11;
export const STREAM_ID_MAX = 0xff_ff_ff_ff;

const END_FLAG = 0x10;
const TYPE_MASK = 0x0f;
const VARINT_BYTES_MAX = 5;

/** The peer broke a rule of the wire format: the session cannot go on. */
export class ProtocolError extends Error {
  override readonly name = "ProtocolError";
}

/** All frames of a message, or ProtocolError: a message counts whole or not at all. */
export function decodeMessage(message: Buffer): Frame[] {
  const frames: Frame[] = [];
  const cursor: Cursor = { offset: 0 };
  if (message.length === 0) throw new ProtocolError("Empty message");
  while (cursor.offset < message.length) frames.push(decodeFrame(message, cursor));
  return frames;
}

export interface FrameHeader {
  readonly type: FrameType;
  readonly streamId: number;
  readonly end: boolean;
  readonly payloadBytes: number;
}

/** Writes a frame's header and returns the offset where its payload belongs. The caller made room. */
export function writeFrameHeader(target: Buffer, offset: number, header: FrameHeader): number {
  target[offset] = header.end ? header.type | END_FLAG : header.type;
  return writeVarint(target, writeVarint(target, offset + 1, header.streamId), header.payloadBytes);
}

/** One frame as bytes of its own. */
export function encodeFrame({ type, streamId, end, payload }: Frame): Buffer {
  const target = Buffer.allocUnsafe(FRAME_HEADER_BYTES_MAX + payload.length);
  const start = writeFrameHeader(target, 0, { type, streamId, end, payloadBytes: payload.length });
  payload.copy(target, start);
  return target.subarray(0, start + payload.length);
}

export function encodeVarint(value: number): Buffer {
  const target = Buffer.allocUnsafe(VARINT_BYTES_MAX);
  return target.subarray(0, writeVarint(target, 0, value));
}

/** A payload that begins with a varint: its value and what follows. */
export function splitVarint(payload: Buffer): { readonly value: number; readonly rest: Buffer } {
  const cursor: Cursor = { offset: 0 };
  const value = readVarint(payload, cursor);
  return { value, rest: payload.subarray(cursor.offset) };
}

interface Cursor {
  offset: number;
}

function decodeFrame(message: Buffer, cursor: Cursor): Frame {
  const first = message[cursor.offset] ?? 0;
  cursor.offset += 1;
  const type = frameType(first & TYPE_MASK);
  if ((first & ~(TYPE_MASK | END_FLAG)) !== 0) throw new ProtocolError(`Unknown flags in frame byte ${String(first)}`);
  const streamId = readVarint(message, cursor);
  const length = readVarint(message, cursor);
  const start = cursor.offset;
  const stop = start + length;
  if (stop > message.length) {
    throw new ProtocolError(`Frame of ${String(length)} bytes in a message with ${String(message.length - start)} left`);
  }
  cursor.offset = stop;
  return { type, streamId, end: (first & END_FLAG) !== 0, payload: message.subarray(start, stop) };
}

function frameType(value: number): FrameType {
  switch (value) {
    case FrameType.hello:
    case FrameType.open:
    case FrameType.head:
    case FrameType.data:
    case FrameType.credit:
    case FrameType.reset:
    case FrameType.goaway:
      return value;
    default:
      throw new ProtocolError(`Unknown frame type ${String(value)}`);
  }
}

function writeVarint(target: Buffer, start: number, value: number): number {
  let offset = start;
  let rest = value;
  while (rest > 0x7f) {
    target[offset] = (rest & 0x7f) | 0x80;
    rest = Math.floor(rest / 128);
    offset += 1;
  }
  target[offset] = rest;
  return offset + 1;
}

function readVarint(source: Buffer, cursor: Cursor): number {
  let value = 0;
  let scale = 1;
  for (let index = 0; index < VARINT_BYTES_MAX; index += 1) {
    const byte = source[cursor.offset];
    if (byte === undefined) throw new ProtocolError("Number is cut off");
    cursor.offset += 1;
    value += (byte & 0x7f) * scale;
    if (byte < 0x80) {
      if (value > STREAM_ID_MAX) throw new ProtocolError(`Number ${String(value)} needs more than 32 bits`);
      if (byte === 0 && index > 0) throw new ProtocolError("Number is not in its shortest form");
      return value;
    }
    scale *= 128;
  }
  throw new ProtocolError("Number has more than 5 bytes");
}
