import { readFileSync } from 'node:fs'
import type { KnipConfig } from 'knip'

/** Packages of tools/package.json are linked into node_modules; test/package/package.test.ts looks for unused ones. */
const linked = ['tools', 'tools/sqlite'].flatMap((folder) => {
  const text = readFileSync(new URL(`./${folder}/package.json`, import.meta.url), 'utf8')
  return Object.keys((JSON.parse(text) as { dependencies: Record<string, string> }).dependencies)
})

const config: KnipConfig = {
  entry: [
    'src/core/index.ts!',
    'src/core/extension.ts!',
    'src/extensions/*/index.ts!',
    'src/client/index.ts!',
    'src/sif/index.ts!',
    'src/adapters/{express,koa,fastify,node,fetch}.ts!',
    'src/storage/blob/{index,memory,filesystem/index,s3/index}.ts!',
    'src/storage/metadata/{index,sqlite/index,postgres/index}.ts!',
    'src/testing/index.ts!',
    'src/ui/upload/hash-worker.ts!',
    'scripts/*.{mjs,d.mts}',
    'bench/**/*.{mjs,ts}',
    'examples/*/*.mjs',
    'test/**/*.test.ts',
    'test/**/*.mjs',
    'test/faults/main.ts',
    'test/e2e/harness/{built,left-behind}.ts',
  ],
  project: ['src/**/*.{ts,tsx}!', 'test/**/*.{ts,mjs}', 'scripts/**', 'bench/**/*.{mjs,ts}', 'examples/**/*.mjs'],
  ignoreExportsUsedInFile: true,
  ignoreDependencies: linked,
  ignoreBinaries: [
    'go',
    'nginx',
    'cc',
    'openssl',
    'mount',
    'umount',
    'losetup',
    'mkfifo',
    'ss',
    'mkfs.exfat',
    'mount.exfat-fuse',
    'systemd-analyze',
    'biome',
    'tsc',
    'typedoc',
    'vitest',
  ],
}

export default config
