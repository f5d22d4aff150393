/**
 * SHA-256 (FIPS 180-4) that takes its input in pieces, which WebCrypto does not; for where nothing
 * faster is at hand.
 */

/**
 * First 32 bits of the fractional parts of the roots of the first 64 primes: cube roots for rounds,
 * square roots at the start.
 */
const { rounds, start } = constants()

function constants(): { readonly rounds: Uint32Array; readonly start: Uint32Array } {
  const primes: number[] = []
  for (let n = 2; primes.length < 64; n += 1) if (primes.every((prime) => n % prime !== 0)) primes.push(n)
  // a double has 53 bits, enough for the fraction of these roots
  const fraction = (root: number): number => Math.floor((root - Math.floor(root)) * 2 ** 32)
  return {
    rounds: Uint32Array.from(primes, (prime) => fraction(Math.cbrt(prime))),
    start: Uint32Array.from(primes.slice(0, 8), (prime) => fraction(Math.sqrt(prime))),
  }
}

const blockBytes = 64
const rotate = (word: number, by: number): number => (word >>> by) | (word << (32 - by))

export interface Sha256 {
  update(bytes: Uint8Array): void
  /** Lower-case hex. Call it once. */
  digest(): string
}

export function createSha256(): Sha256 {
  const state = Uint32Array.from(start)
  const schedule = new Uint32Array(64)
  const rest = new Uint8Array(blockBytes)
  let restLength = 0
  let total = 0

  const compress = (view: DataView, at: number): void => {
    for (let t = 0; t < 16; t += 1) schedule[t] = view.getUint32(at + 4 * t)
    for (let t = 16; t < 64; t += 1) {
      const w15 = schedule[t - 15] as number
      const w2 = schedule[t - 2] as number
      const s0 = rotate(w15, 7) ^ rotate(w15, 18) ^ (w15 >>> 3)
      const s1 = rotate(w2, 17) ^ rotate(w2, 19) ^ (w2 >>> 10)
      schedule[t] = (schedule[t - 16] as number) + s0 + (schedule[t - 7] as number) + s1
    }
    let [a, b, c, d, e, f, g, h] = state as unknown as [number, number, number, number, number, number, number, number]
    for (let t = 0; t < 64; t += 1) {
      const sum1 = rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25)
      const choice = (e & f) ^ (~e & g)
      const first = (h + sum1 + choice + (rounds[t] as number) + (schedule[t] as number)) | 0
      const sum0 = rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22)
      const majority = (a & b) ^ (a & c) ^ (b & c)
      h = g
      g = f
      f = e
      e = (d + first) | 0
      d = c
      c = b
      b = a
      a = (first + sum0 + majority) | 0
    }
    for (const [index, word] of [a, b, c, d, e, f, g, h].entries()) state[index] = (state[index] as number) + word
  }

  const update = (bytes: Uint8Array): void => {
    total += bytes.length
    let at = 0
    if (restLength > 0) {
      at = Math.min(blockBytes - restLength, bytes.length)
      rest.set(bytes.subarray(0, at), restLength)
      restLength += at
      if (restLength < blockBytes) return
      compress(new DataView(rest.buffer), 0)
      restLength = 0
    }
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    for (; at + blockBytes <= bytes.length; at += blockBytes) compress(view, at)
    rest.set(bytes.subarray(at))
    restLength = bytes.length - at
  }

  return {
    update,
    digest: () => {
      const bits = total * 8
      const padding = new Uint8Array((restLength < 56 ? 64 : 128) - restLength)
      padding[0] = 0x80
      const view = new DataView(padding.buffer)
      view.setUint32(padding.length - 8, Math.floor(bits / 2 ** 32))
      view.setUint32(padding.length - 4, bits >>> 0)
      update(padding)
      return Array.from(state, (word) => word.toString(16).padStart(8, '0')).join('')
    },
  }
}
