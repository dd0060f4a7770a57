/** A master of a cluster and the slots that it serves, as pairs of first and last. */
export interface ClusterMaster {
  readonly host: string
  readonly port: number
  readonly ranges: readonly (readonly [first: number, last: number])[]
}

export const SLOTS = 16_384

const TABLE = Array.from({ length: 256 }, (_, byte) => crcOfByte(byte))

/**
 * The slot of a key: that of what stands between the first braces, where something does.
 *
 * @see https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec/
 */
export function slotOf(key: string): number {
  const open = key.indexOf('{')
  const close = open < 0 ? -1 : key.indexOf('}', open + 1)
  return crc16(Buffer.from(close > open + 1 ? key.slice(open + 1, close) : key)) % SLOTS
}

/**
 * Reads an answer to CLUSTER SLOTS.
 *
 * @param asked - Host of the node that answered, which may leave its own name out.
 * @throws Error - it makes no sense, or names no master.
 */
export function mastersOf(answer: unknown, asked: string): ClusterMaster[] {
  const masters = new Map<string, { host: string; port: number; ranges: [number, number][] }>()
  for (const [first, last, node] of lists(answer)) {
    const [name, port] = lists([node])[0] ?? []
    const host = typeof name === 'string' && name !== '' && name !== '?' ? name : asked
    if (!isSlot(first) || !isSlot(last) || typeof port !== 'number') throw notUnderstood()
    const known = masters.get(`${host}:${port}`) ?? { host, port, ranges: [] }
    known.ranges.push([first, last])
    masters.set(`${host}:${port}`, known)
  }
  if (masters.size === 0) throw new Error('the cluster names no masters')
  return [...masters.values()]
}

function lists(value: unknown): unknown[][] {
  if (Array.isArray(value) && value.every(Array.isArray)) return value
  throw notUnderstood()
}

function isSlot(value: unknown): value is number {
  return typeof value === 'number' && value >= 0 && value < SLOTS
}

function notUnderstood(): Error {
  return new Error('the answer to CLUSTER SLOTS makes no sense')
}

/** CRC-16/XMODEM. */
function crc16(bytes: Buffer): number {
  let crc = 0
  for (const byte of bytes) crc = ((crc << 8) ^ (TABLE[(crc >> 8) ^ byte] ?? 0)) & 0xffff
  return crc
}

function crcOfByte(byte: number): number {
  let crc = byte << 8
  for (let bit = 0; bit < 8; bit += 1) crc = crc & 0x8000 ? (crc << 1) ^ 0x1021 : crc << 1
  return crc & 0xffff
}
