/** A question that is put to the store once, by trying. */

/** Something that is tried once and remembered. */
export interface Trial<T> {
  /** undefined until a trial has told. */
  readonly known: T | undefined
  /**
   * Tries it where it is not known. A store that refuses for another reason (a policy, a quota) is
   * taken for one of the usual kind, and asked again. Throws `unavailable`.
   */
  find(): Promise<T>
}

export interface MultipartTraits {
  /** Parts of one upload at the most. */
  readonly maxParts: number
  /**
   * A part URL still writes after its upload was completed. On Swift such a part takes the place of
   * the joined one, and the object cannot be read any more.
   */
  readonly takesLateParts: boolean
}

export interface S3Trials {
  /**
   * Whether a PUT with `If-None-Match: *` leaves an object alone that is there. Swift answers 501.
   */
  readonly conditionalPut: Trial<boolean>
  readonly multipart: Trial<MultipartTraits>
}

/** `attempt` resolves with undefined where the answer says nothing about the question. */
export function createTrial<T>(attempt: () => Promise<T | undefined>, usual: T): Trial<T> {
  let known: T | undefined
  let running: Promise<T> | undefined
  return {
    get known() {
      return known
    },
    find: async () => {
      if (known !== undefined) return known
      running ??= attempt()
        .then((found) => {
          known = found
          return found ?? usual
        })
        .finally(() => {
          running = undefined
        })
      return running
    },
  }
}
