/** Stores that fail on purpose. */

type Faults<T> = { readonly [Key in keyof T]?: T[Key] extends (...args: never[]) => unknown ? T[Key] : Partial<T[Key]> }

/**
 * A storage or metadata store with some methods replaced, also those of its groups (`{ uploads: { move } }`); all others
 * are those of the plain one, which replacements call to do the work.
 */
export function faulty<T extends object>(plain: T, faults: Faults<T>): T {
  const replaced = Object.entries(faults).map(([name, fault]) => [
    name,
    typeof fault === 'object' && fault !== null ? { ...plain[name as keyof T], ...fault } : fault,
  ])
  return { ...plain, ...Object.fromEntries(replaced) }
}
