import type { Cleaning } from '../../test/support/served-proxy.ts'

/** What is to be undone in the end, the last thing first; for what was made for tests. */
export class Cleanups implements Cleaning {
  readonly #actions: (() => Promise<void>)[] = []

  teardown(action: () => Promise<void>): void {
    this.#actions.push(action)
  }

  async run(): Promise<void> {
    for (const action of this.#actions.splice(0).reverse()) await action()
  }
}
