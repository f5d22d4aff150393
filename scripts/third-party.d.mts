import type { Options } from 'tsup'

export function thirdPartyNotices(file: string): NonNullable<Options['esbuildPlugins']>[number]
export function noticesOf(files: Iterable<string>, head: string): string
