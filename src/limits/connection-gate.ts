/** Counts the clients of this process and says when it is full. */
export class ConnectionGate {
  #max: number
  #count = 0

  /** @param max - Most clients inside at a time; `0` means no limit. */
  constructor(max: number) {
    this.#max = max
  }

  /** Clients inside. */
  get count(): number {
    return this.#count
  }

  /** Most clients inside; `0`: no limit. */
  get max(): number {
    return this.#max
  }

  /** Takes a place; each `true` must be answered by one `leave`. */
  tryEnter(): boolean {
    if (this.#max > 0 && this.#count >= this.#max) return false
    this.#count += 1
    return true
  }

  leave(): void {
    if (this.#count === 0) throw new Error('left a connection gate that nobody had entered')
    this.#count -= 1
  }

  /** Holds for those who come later; nobody inside is put out. */
  setMax(max: number): void {
    this.#max = max
  }
}
