/** Runs `work` once and remembers what came of it; a failure is not remembered. */
export function once<T>(work: () => Promise<T>): () => Promise<T> {
  let running: Promise<T> | undefined
  return () => {
    running ??= work().catch((error: unknown) => {
      running = undefined
      throw error
    })
    return running
  }
}

/** At most `limit` works at a time; the others wait in line. */
export function createLimiter(limit: number): <T>(work: () => Promise<T>) => Promise<T> {
  let free = limit
  const waiting: (() => void)[] = []
  return async (work) => {
    if (free > 0) free -= 1
    else await new Promise<void>((resolve) => waiting.push(resolve))
    try {
      return await work()
    } finally {
      const next = waiting.shift()
      if (next === undefined) free += 1
      else next()
    }
  }
}

/** Works with the same name one after the other. */
export function createNamedQueues(): <T>(name: string, work: () => Promise<T>) => Promise<T> {
  const lines = new Map<string, { readonly run: <T>(work: () => Promise<T>) => Promise<T>; users: number }>()
  return async (name, work) => {
    const line = lines.get(name) ?? { run: createLimiter(1), users: 0 }
    lines.set(name, line)
    line.users += 1
    try {
      return await line.run(work)
    } finally {
      line.users -= 1
      if (line.users === 0) lines.delete(name)
    }
  }
}
