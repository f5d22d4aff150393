/** Seed and number of runs of the property tests: fixed and few by default, chosen by `npm run fuzz`. */
import type { Parameters } from 'fast-check'

const number = (name: string): number | undefined =>
  process.env[name] === undefined ? undefined : Number(process.env[name])

/** Of all property tests, unless `npm run fuzz` names another. */
export const seed = number('SIF_LIBRARY_FUZZ_SEED') ?? 20_261_107
const factor = number('SIF_LIBRARY_FUZZ_FACTOR') ?? 1

/** `runs` in CI; `npm run fuzz -- --factor 100` makes a hundred times as many. A path of fast-check (`SIF_LIBRARY_FUZZ_PATH`) repeats one failure. */
export function settings<T>(runs: number): Parameters<T> {
  const path = process.env.SIF_LIBRARY_FUZZ_PATH
  return {
    seed,
    numRuns: Math.ceil(runs * factor),
    endOnFailure: factor === 1,
    ...(path === undefined ? {} : { path }),
  }
}

/** Milliseconds that a test of `ms` in CI gets. */
export const timeout = (ms: number): number => ms * Math.max(1, factor)
