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

/** Looks after the place of the tenant that a server connection is linked to. */
export class PlaceWatch {
  /** The login of the connection, as the server reported it. */
  readonly #user: string | undefined
  readonly #listener: ViolationListener
  #leaving: Link | undefined
  #isViolated = false

  constructor(user: string | undefined, listener: ViolationListener) {
    this.#user = user
    this.#listener = listener
  }

  /** Its tenant has left its place: the connection must not be used again. */
  get isViolated(): boolean {
    return this.#isViolated
  }

  /** A link was sent that asks, before all else, what is left of `link`; `undefined` asks nothing. */
  leave(link: Link | undefined): void {
    this.#leaving = link
  }

  /** The answer to that: what was on the connection is taken back by the very link that asked. */
  answered(columns: readonly (string | undefined)[]): void {
    if (this.#leaving !== undefined) this.#verify(this.#leaving, readFoundPlace(columns))
  }

  /** What a server said of the settings of its session, by name in lower case. */
  told(link: Link, settings: ReadonlyMap<string, string>): void {
    const { guard } = link
    if (guard !== undefined) this.#verify(link, foundIn(settings, guard.setting))
  }

  /** The server reported that the search path is another one. */
  pathReported(link: Link, searchPath: string): void {
    const unasked = { setting: undefined, role: link.guard?.role, user: undefined }
    this.#verify(link, { searchPath, ...unasked })
  }

  #verify({ guard: place, tenant }: Link, found: FoundPlace): void {
    if (place === undefined || this.#isViolated) return
    const kind = placeViolation(found, { place, user: this.#user })
    if (kind === undefined) return
    this.#isViolated = true
    this.#listener(tenant, kind)
  }
}
