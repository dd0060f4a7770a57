import type { SqlText } from '../../sql/scan/statement-effects.ts'
import {
  isNoCommand,
  readTenantCommand,
  TENANT_SETTING,
  type TenantCommand,
} from '../../sql/scan/tenant-command.ts'
import type { TenantName } from '../../tenancy/tenant-name.ts'
import {
  bindComplete,
  commandComplete,
  noData,
  noParameters,
  parseComplete,
  readyForQuery,
  textColumn,
  textRow,
} from '../../wire/backend-messages.ts'
import { FRAME_HEAD_BYTES } from '../../wire/frame-stream.ts'
import { FrontendCode } from '../../wire/message-codes.ts'

type SwitchCommand = Exclude<TenantCommand, { readonly kind: 'show' }>

/** A request to the proxy itself, whole. */
export type OwnRequest =
  | {
      readonly kind: 'answered'
      readonly reply: Buffer
      /** How many bytes the request has. */
      readonly bytes: number
    }
  | {
      readonly kind: 'switch'
      readonly command: SwitchCommand
      /** What is answered ahead of SET, or of an error. */
      readonly before: Buffer
      readonly bytes: number
    }

/** A request for another tenant, whole. */
export type SwitchRequest = Extract<OwnRequest, { readonly kind: 'switch' }>

/** Longest request that is read as one to the proxy. */
const MAX_BYTES = 4096
/** Most commands that a client has prepared; one more forgets the others. */
const MAX_PREPARED = 64
/** Order of the messages of an extended request, as their letters. */
const PREPARING = /^PD?S$/
const EXECUTING = /^(?:PD?)?BD?ES$/
const UNFINISHED = /^(?:PD?)?(?:BD?E?)?$/
const STATEMENT_KIND = 0x53
const NOTHING = Buffer.alloc(0)

/** One message of an extended request. */
interface Message {
  readonly code: number
  readonly body: Buffer
}

/**
 * Reads the requests of one session that are meant for the proxy: to change its tenant, and to show
 * it. Such a request stands by itself: a Query of one statement, or from Parse or Bind to Sync.
 */
export class OwnRequests {
  /** Commands under the names that Parse gave them, until something goes to the server. */
  #prepared: Map<string, SwitchCommand> | undefined
  readonly #tenant: TenantName

  constructor(tenant: TenantName) {
    this.#tenant = tenant
  }

  /**
   * The request that `bytes` begin with, where a message begins; `undefined` for one to the server,
   * or for one that is not whole.
   */
  read(bytes: Buffer): OwnRequest | undefined {
    const request = this.#read(bytes)
    if (request === undefined) this.passed()
    return request
  }

  /** Whether `bytes` are surely no request to the proxy: a look at a few of them. */
  isOther(bytes: Buffer): boolean {
    const code = bytes[0]
    if (code === FrontendCode.query) return isNoCommand(bytes, FRAME_HEAD_BYTES)
    const isUnnamed = code === FrontendCode.parse && bytes[FRAME_HEAD_BYTES] === 0
    if (isUnnamed) return isNoCommand(bytes, FRAME_HEAD_BYTES + 1)
    return code !== FrontendCode.parse && this.#prepared === undefined
  }

  /** Whether `bytes` may be the beginning of such a request, and can wait for the rest. */
  isUnfinished(bytes: Buffer): boolean {
    const code = bytes[0]
    const isBegun = code === FrontendCode.query || code === FrontendCode.parse
    if (!isBegun && (code !== FrontendCode.bind || this.#prepared === undefined)) return false
    if (bytes.length >= MAX_BYTES || declaredBytes(bytes) > MAX_BYTES) return false
    if (isBroken(bytes)) return false
    if (endOfMessage(bytes, 0) === undefined) return true
    if (code === FrontendCode.query || !UNFINISHED.test(wholeMessages(bytes))) return false
    return code === FrontendCode.bind || isCommand(bytes)
  }

  /** Something goes to the server: it may be about any name, so that no command keeps its own. */
  passed(): void {
    this.#prepared = undefined
  }

  #read(bytes: Buffer): OwnRequest | undefined {
    switch (bytes[0]) {
      case FrontendCode.query:
        return this.#readQuery(bytes)
      case FrontendCode.parse:
        return isCommand(bytes) ? this.#readExtended(bytes) : undefined
      case FrontendCode.bind:
        return this.#prepared === undefined ? undefined : this.#readExtended(bytes)
      default:
        return undefined
    }
  }

  #readQuery(bytes: Buffer): OwnRequest | undefined {
    const end = endOfMessage(bytes, 0)
    if (end === undefined || end > MAX_BYTES) return undefined
    const command = readTenantCommand(textFrom(bytes, FRAME_HEAD_BYTES, end))
    if (command === undefined) return undefined
    if (command.kind !== 'show') return { kind: 'switch', command, before: NOTHING, bytes: end }
    const shown = [textColumn(TENANT_SETTING), textRow(this.#tenant), commandComplete('SHOW')]
    return { kind: 'answered', reply: Buffer.concat([...shown, readyForQuery('I')]), bytes: end }
  }

  #readExtended(bytes: Buffer): OwnRequest | undefined {
    const request = messagesUpToSync(bytes)
    if (request === undefined) return undefined
    const { messages, end } = request
    const codes = String.fromCharCode(...messages.map(({ code }) => code))
    const isExecuting = EXECUTING.test(codes)
    if (!isExecuting && !PREPARING.test(codes)) return undefined
    const command = this.#commandOf(messages)
    if (command === undefined) return undefined
    const before = Buffer.concat(messages.map(replyTo))
    if (isExecuting) return { kind: 'switch', command, before, bytes: end }
    const reply = Buffer.concat([before, readyForQuery('I')])
    return { kind: 'answered', reply, bytes: end }
  }

  /** The command that all messages of a request are about, prepared where one is a Parse. */
  #commandOf(messages: readonly Message[]): SwitchCommand | undefined {
    const [first] = messages
    if (first === undefined) return undefined
    const isParse = first.code === FrontendCode.parse
    const bind = messages.find(({ code }) => code === FrontendCode.bind)
    const portal = bind === undefined ? undefined : nameAt(bind.body, 0)
    const name = isParse ? nameAt(first.body, 0) : nameAt(first.body, (portal?.length ?? 0) + 1)
    if (!messages.every((message) => isAbout(message, name, portal))) return undefined
    if (!isParse) return this.#prepared?.get(name)
    const command = readSwitch(textFrom(first.body, name.length + 1, first.body.length))
    if (command !== undefined) this.#prepare(name, command)
    return command
  }

  #prepare(name: string, command: SwitchCommand): void {
    if (this.#prepared === undefined || this.#prepared.size === MAX_PREPARED) {
      this.#prepared = new Map()
    }
    this.#prepared.set(name, command)
  }
}

/** Whether a Parse has a command for its text. SHOW is left to the server: see `substitute`. */
function isCommand(bytes: Buffer): boolean {
  const end = endOfMessage(bytes, 0)
  if (end === undefined || end > MAX_BYTES) return false
  const text = bytes.indexOf(0, FRAME_HEAD_BYTES) + 1
  return text > 0 && text < end && readSwitch(textFrom(bytes, text, end)) !== undefined
}

function readSwitch(text: SqlText): SwitchCommand | undefined {
  const command = readTenantCommand(text)
  return command?.kind === 'show' ? undefined : command
}

/** Whether a message is about that statement and that portal alone. */
function isAbout({ code, body }: Message, name: string, portal: string | undefined): boolean {
  switch (code) {
    case FrontendCode.bind:
      return nameAt(body, (portal?.length ?? 0) + 1) === name && hasNoValues(body, name, portal)
    case FrontendCode.describe:
      return nameAt(body, 1) === (body[0] === STATEMENT_KIND ? name : portal)
    case FrontendCode.execute:
      return nameAt(body, 0) === portal
    default:
      return true
  }
}

/** Behind the names: any number of formats, and no value. */
function hasNoValues(body: Buffer, name: string, portal = ''): boolean {
  const formats = portal.length + name.length + 2
  if (body.length < formats + 2) return false
  const values = formats + 2 + body.readUInt16BE(formats) * 2
  return body.length >= values + 2 && body.readUInt16BE(values) === 0
}

function replyTo({ code, body }: Message): Buffer {
  switch (code) {
    case FrontendCode.parse:
      return parseComplete()
    case FrontendCode.bind:
      return bindComplete()
    case FrontendCode.describe:
      return body[0] === STATEMENT_KIND ? Buffer.concat([noParameters(), noData()]) : noData()
    default:
      return NOTHING
  }
}

/** `undefined` where no Sync has come within the bytes of a request to the proxy. */
function messagesUpToSync(
  bytes: Buffer,
): { readonly messages: readonly Message[]; readonly end: number } | undefined {
  const messages: Message[] = []
  let start = 0
  for (;;) {
    const end = endOfMessage(bytes, start)
    if (end === undefined || end > MAX_BYTES) return undefined
    const code = bytes[start] as number
    messages.push({ code, body: bytes.subarray(start + FRAME_HEAD_BYTES, end) })
    if (code === FrontendCode.sync) return { messages, end }
    start = end
  }
}

/** The messages that are whole, as their letters. */
function wholeMessages(bytes: Buffer): string {
  let codes = ''
  let start = 0
  for (let end = endOfMessage(bytes, 0); end !== undefined; end = endOfMessage(bytes, start)) {
    codes += String.fromCharCode(bytes[start] as number)
    start = end
  }
  return codes
}

/** How long the first message is to be; 0 while that has not come. */
function declaredBytes(bytes: Buffer): number {
  return bytes.length < FRAME_HEAD_BYTES ? 0 : 1 + bytes.readUInt32BE(1)
}

/** Whether a message of theirs is shorter than its own length word: no end of it will come. */
function isBroken(bytes: Buffer): boolean {
  let start = 0
  while (bytes.length - start >= FRAME_HEAD_BYTES) {
    const end = start + 1 + bytes.readUInt32BE(start + 1)
    if (end < start + FRAME_HEAD_BYTES) return true
    start = end
  }
  return false
}

/** Where the message ends that begins at `start`; `undefined` if not all of it is there. */
function endOfMessage(bytes: Buffer, start: number): number | undefined {
  if (bytes.length - start < FRAME_HEAD_BYTES) return undefined
  const end = start + 1 + bytes.readUInt32BE(start + 1)
  return end < start + FRAME_HEAD_BYTES || end > bytes.length ? undefined : end
}

/** The name that begins there, one character a byte. */
function nameAt(bytes: Buffer, from: number): string {
  const end = bytes.indexOf(0, from)
  return bytes.toString('latin1', from, end < 0 ? bytes.length : end)
}

function textFrom(bytes: Buffer, start: number, limit: number): SqlText {
  const end = bytes.indexOf(0, start)
  return { bytes, start, end: end < 0 || end > limit ? limit : end }
}
