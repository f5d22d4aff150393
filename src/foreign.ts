/**
 * Values that others made: Node, a driver, a hook, another copy of this package. They are judged by
 * what they carry, never by `instanceof`: under Jest and in every context of `node:vm`, the errors
 * and bytes of Node itself come from another realm, whose Error and Uint8Array are not those of
 * this code. For bytes there is `isUint8Array` of node:util/types.
 */
/** Text that an object carries under this name. */
export function textIn(value: unknown, name: string): string | undefined {
  const found: unknown = typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined
  return typeof found === 'string' ? found : undefined
}

/** The message of an error; of what is none, its text. */
export function messageOf(error: unknown): string {
  return textIn(error, 'message') ?? String(error)
}
