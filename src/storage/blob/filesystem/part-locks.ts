import { failure } from './errors.js'

export interface WaitingTask<T> {
  readonly key: string
  readonly signal?: AbortSignal | undefined
  run(): Promise<T>
}

/** Lets writers of one part queue up in this process, so that their bytes do not mix. */
export class PartLocks {
  readonly #tails = new Map<string, Promise<void>>()

  /**
   * Runs the task when every earlier one of this name is over. A signal that fires while it waits
   * is `aborted`; a task that runs looks after its signal itself.
   */
  run<T>(name: string, { key, signal, run }: WaitingTask<T>): Promise<T> {
    const aborted = () => failure('aborted', 'stopped by the signal', { key, cause: signal?.reason })
    return new Promise<T>((resolve, reject) => {
      const onAbort = () => reject(aborted())
      signal?.addEventListener('abort', onAbort, { once: true })
      const work = async () => {
        signal?.removeEventListener('abort', onAbort)
        if (signal?.aborted) throw aborted()
        return run()
      }
      const tail = (this.#tails.get(name) ?? Promise.resolve()).then(work).then(resolve, reject)
      this.#tails.set(name, tail)
      tail.then(() => {
        if (this.#tails.get(name) === tail) this.#tails.delete(name)
      })
    })
  }
}
