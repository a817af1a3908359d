/** A frame as it goes over the wire: the length of `body`, and `body`. */
export function framed(body: Uint8Array): Buffer {
  const length = Buffer.alloc(4);
  length.writeInt32BE(body.length);
  return Buffer.concat([length, body]);
}
