/** Bits of a hash that choose a register: 1,024 of them, for a standard error of 3.3 %. */
const INDEX_BITS = 10
const REGISTERS = 2 ** INDEX_BITS
/** What is left of a hash. */
const RANK_BITS = 32 - INDEX_BITS

/**
 * Tells how many different names it was given, in 1 kB, whatever their number: a HyperLogLog, read
 * by Ertl's estimator, which needs no correction for small numbers.
 *
 * @see https://arxiv.org/abs/1702.01284 - algorithms 1 and 6
 */
export class TenantSketch {
  readonly #registers = new Uint8Array(REGISTERS)

  add(name: string): void {
    const hash = hashOf(name)
    const index = hash >>> RANK_BITS
    // The bit below ends the count where all others are 0.
    const rank = Math.clz32((hash << INDEX_BITS) | (1 << (INDEX_BITS - 1))) + 1
    if (rank > (this.#registers[index] ?? 0)) this.#registers[index] = rank
  }

  /** How many names the two were given, those given to both counted once. */
  countWith(other: TenantSketch): number {
    const counts = new Array<number>(RANK_BITS + 2).fill(0)
    for (const [index, rank] of this.#registers.entries()) {
      const greater = Math.max(rank, other.#registers[index] ?? 0)
      counts[greater] = (counts[greater] ?? 0) + 1
    }
    return Math.round(estimate(counts))
  }
}

/** @param counts - How many registers have each rank, from 0 to `RANK_BITS + 1`. */
function estimate(counts: readonly number[]): number {
  const of = (rank: number) => counts[rank] ?? 0
  let sum = REGISTERS * tau(1 - of(RANK_BITS + 1) / REGISTERS)
  for (let rank = RANK_BITS; rank >= 1; rank -= 1) sum = 0.5 * (sum + of(rank))
  sum += REGISTERS * sigma(of(0) / REGISTERS)
  return REGISTERS ** 2 / (2 * Math.LN2 * sum)
}

/** The part of the registers that are still empty: x + Σ x^(2^k) · 2^(k-1). */
function sigma(share: number): number {
  if (share === 1) return Number.POSITIVE_INFINITY
  let power = share
  let weight = 1
  let sum = share
  for (let before = Number.NaN; sum !== before; weight *= 2) {
    power *= power
    before = sum
    sum += power * weight
  }
  return sum
}

/** The part of those that are full: (1 - x - Σ (1 - x^(2^-k))² · 2^-k) / 3. */
function tau(share: number): number {
  if (share === 0 || share === 1) return 0
  let root = share
  let weight = 1
  let sum = 1 - share
  for (let before = Number.NaN; sum !== before; ) {
    root = Math.sqrt(root)
    before = sum
    weight *= 0.5
    sum -= (1 - root) ** 2 * weight
  }
  return sum / 3
}

/**
 * FNV-1a, then the last steps of MurmurHash3, which spread it over all bits.
 *
 * @see http://www.isthe.com/chongo/tech/comp/fnv/
 * @see https://github.com/aappleby/smhasher - fmix32 of MurmurHash3.cpp
 */
function hashOf(name: string): number {
  let hash = 0x811c_9dc5
  for (let index = 0; index < name.length; index += 1) {
    hash = Math.imul(hash ^ name.charCodeAt(index), 0x0100_0193)
  }
  hash = Math.imul(hash ^ (hash >>> 16), 0x85eb_ca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2_ae35)
  return (hash ^ (hash >>> 16)) >>> 0
}
