// Slows down whoever guesses passwords: so many wrong ones for a name, and from an address, then nobody gets in that way for a while.

/** `now` is for tests. One process counts for itself: with several, count in what they share (a database, Redis). */
export function limitAttempts({ perName = 10, perAddress = 50, minutes = 15, now = Date.now } = {}) {
  const failures = new Map()
  const keysOf = (name, address) => [
    [`name ${name}`, perName],
    [`address ${address}`, perAddress],
  ]
  const count = (key) => {
    const kept = failures.get(key)
    return kept === undefined || kept.until <= now() ? 0 : kept.count
  }
  return {
    /** Seconds to wait; 0 = may try. */
    wait: (name, address) => {
      const full = keysOf(name, address).filter(([key, most]) => count(key) >= most)
      return Math.max(0, ...full.map(([key]) => Math.ceil((failures.get(key).until - now()) / 1000)))
    },
    /** Also before the password is checked: tries that run at the same time count too. */
    failed: (name, address) => {
      // names are invented faster than they run out: the oldest go
      while (failures.size >= 10_000) failures.delete(failures.keys().next().value)
      for (const [key] of keysOf(name, address)) {
        const before = count(key)
        const until = before === 0 ? now() + minutes * 60_000 : failures.get(key).until
        failures.delete(key)
        failures.set(key, { count: before + 1, until })
      }
    },
    succeeded: (name, address) => {
      failures.delete(`name ${name}`)
      const kept = failures.get(`address ${address}`)
      if (kept !== undefined) kept.count -= 1
    },
  }
}
