import type { Step } from './client.js'
import type { Random } from './random.js'

const steps: readonly Step[] = [
  'create',
  'start',
  'bytes',
  'bytes',
  'complete',
  'complete',
  'complete',
  'tag',
  'delete',
]

/** When the fault comes: after a time, or a moment after the nth request of a kind was sent. */
export function planMoment(
  random: Random,
  pace: number,
): { readonly onStep: (step: Step) => void; readonly due: Promise<void> } {
  let fire = (): void => {}
  const due = new Promise<void>((resolve) => (fire = resolve))
  if (random.chance(0.4)) {
    setTimeout(fire, pace * random.between(5, 700))
    return { onStep: () => {}, due }
  }
  const wanted = random.pick(steps)
  const delay = random.between(0, 12)
  let left = random.between(1, 8)
  setTimeout(fire, pace * 1500)
  return {
    onStep: (step) => {
      if (step === wanted && --left === 0) setTimeout(fire, delay)
    },
    due,
  }
}
