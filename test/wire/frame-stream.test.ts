import fc from 'fast-check'
import t from 'tap'
import {
  attentionTable,
  type Frame,
  type FrameFate,
  FrameStream,
  type FrameVisitor,
} from '../../src/wire/frame-stream.ts'
import { bytes, inChunks } from './bytes.ts'

const CHUNK_BYTES = [1, 2, 3, 5, 6, 7, 64]
const MAX = 1_000_000
const HEADS = attentionTable({}, 5)
const UNSEEN = attentionTable({}, 0)

interface Seen {
  readonly code: string
  readonly frameBytes: number
}

/** Notes what it visits and takes; decides by a function. */
class Notes implements FrameVisitor {
  readonly seen: Seen[] = []
  readonly runs: Buffer[] = []
  readonly #decide: (frame: Frame) => FrameFate

  constructor(decide: (frame: Frame) => FrameFate = () => 'pass') {
    this.#decide = decide
  }

  get out(): Buffer {
    return Buffer.concat(this.runs)
  }

  visit(frame: Frame): FrameFate {
    const fate = this.#decide(frame)
    if (fate !== 'whole') {
      this.seen.push({ code: String.fromCharCode(frame.code), frameBytes: frame.frameBytes })
    }
    return fate
  }

  emit(run: Buffer): void {
    this.runs.push(run)
  }
}

const ROWS = [
  { name: 'nothing', spelled: '', sees: [], isBetween: true },
  { name: 'Sync', spelled: `'S' 00000004`, sees: [['S', 5]], isBetween: true },
  { name: 'ReadyForQuery', spelled: `'Z' 00000005 49`, sees: [['Z', 6]], isBetween: true },
  { name: 'a head', spelled: `'Z' 00000005`, sees: [['Z', 6]], isBetween: false },
  { name: 'a head cut short', spelled: `'Z' 000000`, sees: [], isBetween: false },
  {
    name: 'a body cut short',
    spelled: `'1' 00000004 'D' 0000000a 0001`,
    sees: [
      ['1', 5],
      ['D', 11],
    ],
    isBetween: false,
  },
  {
    name: 'three frames',
    spelled: `'1' 00000004 'T' 0000000a 'abcdef' 'Z' 00000005 54`,
    sees: [
      ['1', 5],
      ['T', 11],
      ['Z', 6],
    ],
    isBetween: true,
  },
]

for (const { name, spelled, sees, isBetween } of ROWS) {
  for (const chunkBytes of CHUNK_BYTES) {
    t.test(`${name}, in chunks of ${chunkBytes}`, async (t) => {
      const notes = new Notes()
      const stream = new FrameStream(notes, HEADS, MAX)
      for (const chunk of inChunks(bytes(spelled), chunkBytes)) stream.push(chunk)
      t.strictSame(
        notes.seen.map(({ code, frameBytes }) => [code, frameBytes]),
        sees,
      )
      t.equal(stream.isBetweenFrames, isBetween)
      const unfinished = name === 'a head cut short' ? 4 : 0
      t.strictSame(notes.out, bytes(spelled).subarray(0, bytes(spelled).length - unfinished))
    })
  }
}

const LENGTHS = [
  { lengthWord: 0, isValid: false },
  { lengthWord: 3, isValid: false },
  { lengthWord: 4, isValid: true },
  { lengthWord: 98, isValid: true },
  { lengthWord: 99, isValid: true },
  { lengthWord: 100, isValid: false },
  { lengthWord: 0x7fff_ffff, isValid: false },
  { lengthWord: 0x8000_0000, isValid: false },
  { lengthWord: 0xffff_ffff, isValid: false },
]

for (const { lengthWord, isValid } of LENGTHS) {
  for (const attention of [HEADS, UNSEEN]) {
    t.test(`a length of ${lengthWord} is ${isValid ? 'valid' : 'refused'}`, async (t) => {
      const stream = new FrameStream(new Notes(), attention, 100)
      const head = Buffer.alloc(5, 'Q')
      head.writeUInt32BE(lengthWord, 1)
      stream.push(head.subarray(0, 4))
      const push = () => stream.push(head.subarray(4))
      if (isValid) t.doesNotThrow(push)
      else t.throws(push, { code: 'PROTOCOL_VIOLATION' })
    })
  }
}

t.test('a chunk whose frames all pass leaves as it came', async (t) => {
  const notes = new Notes()
  const stream = new FrameStream(notes, HEADS, MAX)
  const chunks = [bytes(`'1' 00000004 'D' 00000008 'ab'`), bytes(`'cd' 'Z' 00000005 49`)]
  for (const chunk of chunks) stream.push(chunk)
  t.equal(notes.runs.length, 2)
  t.equal(notes.runs[0], chunks[0])
  t.equal(notes.runs[1], chunks[1])
})

t.test('neighbours that pass leave as one run, without being copied', async (t) => {
  const notes = new Notes((frame) => (frame.code === 0x4e ? 'drop' : 'pass'))
  const stream = new FrameStream(notes, HEADS, MAX)
  const chunk = bytes(`'1' 00000004 '2' 00000004 'N' 00000005 00 'C' 00000004 'Z' 00000005 49`)
  stream.push(chunk)
  t.strictSame(
    notes.runs.map((run) => run.length),
    [10, 11],
  )
  for (const run of notes.runs) t.equal(run.buffer, chunk.buffer)
})

t.test('a frame much longer than its chunks streams, and is visited once', async (t) => {
  const notes = new Notes()
  const stream = new FrameStream(notes, attentionTable({}, 64), 1_000_000_000)
  const head = bytes(`'d' 00800004`)
  stream.push(Buffer.concat([head, Buffer.alloc(100)]))
  const chunk = Buffer.alloc(65_536, 1)
  for (let sent = 100; sent < 0x80_0000; sent += chunk.length) {
    t.equal(stream.isBetweenFrames, false)
    stream.push(chunk.subarray(0, Math.min(chunk.length, 0x80_0000 - sent)))
  }
  t.equal(stream.isBetweenFrames, true)
  t.equal(notes.seen.length, 1)
  t.equal(notes.out.length, 0x80_0005)
  t.equal(notes.runs.filter((run) => run === chunk || run.buffer === chunk.buffer).length, 128)
})

t.test('a long frame that is dropped leaves nothing', async (t) => {
  const notes = new Notes((frame) => (frame.code === 0x64 ? 'drop' : 'pass'))
  const stream = new FrameStream(notes, HEADS, MAX)
  for (const chunk of inChunks(bytes(`'d' 00000010 '0123456789ab' 'Z' 00000005 49`), 7)) {
    stream.push(chunk)
  }
  t.strictSame(notes.out, bytes(`'Z' 00000005 49`))
})

t.test('attention changes with the next frame', async (t) => {
  const notes = new Notes((frame) => {
    if (frame.code === 0x5a) stream.attention = UNSEEN
    return 'pass'
  })
  const stream = new FrameStream(notes, HEADS, MAX)
  stream.push(bytes(`'1' 00000004 'Z' 00000005 49 '2' 00000004`))
  t.strictSame(
    notes.seen.map(({ code }) => code),
    ['1', 'Z'],
  )
})

/** What a visitor does with a frame. */
type Move = 'pass' | 'drop' | 'insert' | 'insertDrop' | 'replace'
const INSERTED = Buffer.from('<inserted>')

const frame = fc.record({
  code: fc.integer({ min: 0, max: 255 }),
  body: fc.uint8Array({ maxLength: 40 }).map((body) => Buffer.from(body)),
  move: fc.constantFrom<Move>('pass', 'drop', 'insert', 'insertDrop', 'replace'),
  wantsWhole: fc.boolean(),
})
const attention = fc
  .array(fc.constantFrom(0, 5, 6, 9, 30, 0xffff_ffff), { minLength: 8, maxLength: 8 })
  .map((needs) => Uint32Array.from({ length: 256 }, (_, code) => needs[code % 8] as number))

t.test('any frames, any cuts, any attention, any decisions', async () => {
  const input = fc.record({
    frames: fc.array(frame, { maxLength: 12 }),
    cuts: fc.array(fc.integer({ min: 1, max: 60 }), { minLength: 1 }),
    attention,
  })
  fc.assert(
    fc.property(input, ({ frames, cuts, attention }) => {
      const expected: Buffer[] = []
      const wire: Buffer[] = []
      const visited: typeof frames = []
      for (const one of frames) {
        const head = Buffer.alloc(5, one.code)
        head.writeUInt32BE(one.body.length + 4, 1)
        const whole = Buffer.concat([head, one.body])
        wire.push(whole)
        const isVisited = attention[one.code] !== 0
        if (isVisited) visited.push(one)
        expected.push(isVisited ? modelOf(one.move, whole) : whole)
      }
      let next = 0
      const notes = new Notes((seen) => {
        const one = visited[next] as (typeof frames)[number]
        const needs = Math.min(attention[one.code] as number, seen.frameBytes)
        const present = seen.chunk.length - seen.start
        if (seen.code !== one.code || present < needs) throw new Error('a visit out of place')
        if (one.wantsWhole && present < seen.frameBytes) return 'whole'
        next += 1
        return play(stream, one.move)
      })
      const stream = new FrameStream(notes, attention, MAX)
      for (const chunk of cut(Buffer.concat(wire), cuts)) stream.push(chunk)
      const isRight = notes.out.equals(Buffer.concat(expected)) && next === visited.length
      return isRight && stream.isBetweenFrames
    }),
    { numRuns: 3_000 },
  )
})

function modelOf(move: Move, whole: Buffer): Buffer {
  if (move === 'pass') return whole
  if (move === 'drop') return Buffer.alloc(0)
  if (move === 'insert') return Buffer.concat([INSERTED, whole])
  if (move === 'insertDrop') return INSERTED
  return Buffer.concat([INSERTED, whole.subarray(5)])
}

function play(stream: FrameStream, move: Move): FrameFate {
  if (move === 'insert' || move === 'insertDrop') stream.insert(INSERTED)
  if (move === 'replace') stream.replaceHead(INSERTED, 5)
  return move === 'drop' || move === 'insertDrop' ? 'drop' : 'pass'
}

function cut(whole: Buffer, sizes: readonly number[]): Buffer[] {
  const chunks: Buffer[] = []
  let offset = 0
  for (let index = 0; offset < whole.length; index += 1) {
    const end = offset + (sizes[index % sizes.length] as number)
    chunks.push(whole.subarray(offset, end))
    offset = end
  }
  return chunks
}
