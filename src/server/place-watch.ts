import type { Link } from '../tenancy/link.ts'
import {
  type FoundPlace,
  foundIn,
  placeViolation,
  readFoundPlace,
  type ViolationKind,
} from '../tenancy/verification.ts'

/** Hears that a tenant has left its place in a way that no text showed. */
export type ViolationListener = (tenant: string, kind: ViolationKind) => void

/** A link that is, or was, in force on a server connection. */
export interface HeldLink {
  readonly link: Link
  /** The token in its tenant setting; `undefined` for none. */
  readonly token: string | undefined
}

/** Looks after the place of the tenant that a server connection is linked to. */
export class PlaceWatch {
  /** The login of the connection, as the server reported it. */
  readonly #user: string | undefined
  readonly #listener: ViolationListener
  #leaving: HeldLink | undefined
  #isViolated = false

  constructor(user: string | undefined, listener: ViolationListener) {
    this.#user = user
    this.#listener = listener
  }

  /** Its tenant has left its place: the connection must not be used again. */
  get isViolated(): boolean {
    return this.#isViolated
  }

  /** A link was sent that asks, before all else, what is left of `held`; `undefined` asks nothing. */
  leave(held: HeldLink | undefined): void {
    this.#leaving = held
  }

  /** The answer to that: what was on the connection is taken back by the very link that asked. */
  answered(columns: readonly (string | undefined)[]): void {
    if (this.#leaving !== undefined) this.#verify(this.#leaving, readFoundPlace(columns))
  }

  /** What a server said of the settings of its session, by name in lower case. */
  told(held: HeldLink, settings: ReadonlyMap<string, string>): void {
    const { guard } = held.link
    if (guard !== undefined) this.#verify(held, foundIn(settings, guard.setting))
  }

  /** The server reported that the search path is another one. */
  pathReported(held: HeldLink, searchPath: string): void {
    const { guard } = held.link
    const unasked = { setting: undefined, role: guard?.role, user: undefined }
    this.#verify(held, { searchPath, ...unasked })
  }

  #verify({ link, token }: HeldLink, found: FoundPlace): void {
    const { guard: place, tenant } = link
    if (place === undefined || this.#isViolated) return
    const kind = placeViolation(found, { place, token, user: this.#user })
    if (kind === undefined) return
    this.#isViolated = true
    this.#listener(tenant, kind)
  }
}
