/** Shaped like pino: an object of facts first, then the words. */
export interface Logger {
  debug(facts: object, message?: string): void
  info(facts: object, message?: string): void
  warn(facts: object, message?: string): void
  error(facts: object, message?: string): void
  /**
   * As pino's: false keeps the line of each request from being built where nobody reads it.
   * Default: all levels are read.
   */
  isLevelEnabled?(level: string): boolean
}
