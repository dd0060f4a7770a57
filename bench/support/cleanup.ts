/** What has to be undone when a bench ends, however it ends. */
export class Cleanup {
  readonly #actions: (() => Promise<void>)[] = []
  #running: Promise<void> | undefined

  /** The last one deferred runs first. */
  defer(action: () => Promise<void>): void {
    this.#actions.push(action)
  }

  /** Safe to call twice: both wait for the same end. */
  run(): Promise<void> {
    this.#running ??= this.#runAll()
    return this.#running
  }

  async #runAll(): Promise<void> {
    for (const action of this.#actions.reverse()) {
      await action().catch((error: unknown) => console.error(error))
    }
  }
}

/** Runs a bench, and undoes what it began: at its end, when it fails, and at Ctrl-C. */
export async function withCleanup(bench: (cleanup: Cleanup) => Promise<void>): Promise<void> {
  const cleanup = new Cleanup()
  let isInterrupted = false
  const interrupted = () => {
    isInterrupted = true
    void cleanup.run().then(() => process.exit(130))
  }
  process.once('SIGINT', interrupted)
  process.once('SIGTERM', interrupted)
  try {
    await bench(cleanup)
  } catch (error) {
    // What was ended under its hands makes an interrupted bench fail.
    if (!isInterrupted) throw error
  } finally {
    await cleanup.run()
    process.off('SIGINT', interrupted)
    process.off('SIGTERM', interrupted)
  }
}
