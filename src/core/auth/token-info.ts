import type { TokenRecord } from '../../storage/metadata/contract.js'

/** A token, session or code without its hash. */
export type TokenInfo = Omit<TokenRecord, 'hash'> & { readonly userName: string }

export const withoutHash = ({ hash: _, ...info }: TokenRecord & { readonly userName: string }): TokenInfo => info

export const isExpired = ({ expiresAt }: Pick<TokenRecord, 'expiresAt'>, now: number): boolean =>
  expiresAt !== null && expiresAt <= now
