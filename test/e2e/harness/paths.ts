import { fileURLToPath } from 'node:url'

const at = (relative: string): string => fileURLToPath(new URL(relative, import.meta.url))

/** The package's own folder. */
export const PACKAGE: string = at('../../..')
/** Go modules of the clients. */
export const CLIENTS: string = at('../clients')
/** Built programs, kept between runs; not committed. */
export const CACHE: string = at('../../../.cache/clients')
export const CLI: string = at('../../../dist/cli/main.js')
export const EXPRESS_APP: string = at('./express-app.mjs')
export const HOST_APP: string = at('./host-app.mjs')
