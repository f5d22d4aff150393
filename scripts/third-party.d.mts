import type { Options } from 'tsup'

export function thirdPartyNotices(file: string): NonNullable<Options['esbuildPlugins']>[number]
