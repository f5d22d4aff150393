/**
 * `npm run bench`: ratios in one run, medians of interleaved rounds; a table on stdout, JSON in bench/results/.
 *
 *   npm run bench                         everything (an hour or more, most of it `scale`; needs Go and nginx for the peers, Go and MinIO for s3)
 *   npm run bench -- requests transfers   some of: requests, transfers, morning, s3, memory, scale, lists, instances, startup, inspect
 *   npm run bench -- --quick              fewer rounds, less data, to see that it works
 */
import { benchInspect } from './inspect.mjs'
import { benchInstances } from './instances.mjs'
import { benchLists } from './lists.mjs'
import { benchMemory } from './memory.mjs'
import { benchMorning } from './morning.mjs'
import { benchRequests } from './requests.mjs'
import { benchS3 } from './s3.mjs'
import { benchScale } from './scale.mjs'
import { benchStartup } from './startup.mjs'
import { benchTransfers } from './transfers.mjs'

const args = process.argv.slice(2)
const quick = args.includes('--quick')
const benches = {
  requests: () => benchRequests(quick ? { rounds: 3, requests: 2000, images: 20_000 } : {}),
  transfers: () => benchTransfers(quick ? { rounds: 1, size: 2 ** 27 } : {}),
  morning: () => benchMorning(quick ? { jobs: 300, size: 1_000_000 } : {}),
  s3: () => benchS3(quick ? { rounds: 1, size: 2 ** 28 } : {}),
  memory: () => benchMemory(quick ? { gibibytes: 1, slow: 50 } : {}),
  scale: () => benchScale(quick ? { images: 20_000, containers: 200, files: 2000, rounds: 3 } : {}),
  lists: () => benchLists(quick ? { images: 50_000, containers: 5000, entities: 200, pages: 50 } : {}),
  instances: () => benchInstances(quick ? { images: 20_000, containers: 200, rounds: 3, count: 2000 } : {}),
  startup: () => benchStartup(quick ? { rounds: 3 } : {}),
  inspect: () => benchInspect(quick ? { rounds: 3, files: 50 } : {}),
}
const wanted = args.filter((arg) => !arg.startsWith('--'))
for (const name of wanted)
  if (!(name in benches)) throw new Error(`no such bench: ${name}; there are ${Object.keys(benches).join(', ')}`)
for (const [name, bench] of Object.entries(benches)) if (wanted.length === 0 || wanted.includes(name)) await bench()
