import { inflateRawSync } from 'node:zlib'

const END_OF_DIRECTORY = Buffer.from('PK\x05\x06', 'latin1')
const END_BYTES = 22
const STORED = 0
const DEFLATED = 8

/**
 * The content of one file of a zip archive, both in memory. Throws when it is not there, or is
 * packed in a way other than the two that zip itself uses.
 *
 * @see https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT section 4.3
 */
export function unzipFile(archive, name) {
  const entry = entries(archive).find((entry) => entry.name === name)
  if (!entry) throw new Error(`There is no ${name} in the archive`)
  const { method, start, bytes } = entry
  // The local header repeats the name, and has extra fields of its own.
  const from = start + 30 + archive.readUInt16LE(start + 26) + archive.readUInt16LE(start + 28)
  const packed = archive.subarray(from, from + bytes)
  if (method === STORED) return packed
  if (method === DEFLATED) return inflateRawSync(packed)
  throw new Error(`${name} is packed with method ${method}`)
}

function entries(archive) {
  const end = archive.lastIndexOf(END_OF_DIRECTORY)
  if (end < 0 || end + END_BYTES > archive.length) throw new Error('This is no zip archive')
  const found = []
  let at = archive.readUInt32LE(end + 16)
  for (let left = archive.readUInt16LE(end + 10); left > 0; left--) {
    const nameBytes = archive.readUInt16LE(at + 28)
    found.push({
      name: archive.toString('utf8', at + 46, at + 46 + nameBytes),
      method: archive.readUInt16LE(at + 10),
      bytes: archive.readUInt32LE(at + 20),
      start: archive.readUInt32LE(at + 42),
    })
    at += 46 + nameBytes + archive.readUInt16LE(at + 30) + archive.readUInt16LE(at + 32)
  }
  return found
}
