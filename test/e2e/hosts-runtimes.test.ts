/** The Fetch door on other runtimes than Node: the real clients against Bun.serve and Deno.serve, on a filesystem and the SQLite of the runtime. */
import { describeWhen } from './harness/availability.js'
import { generationsOf } from './harness/client.js'
import { describeClientMatrix } from './harness/client-matrix.js'
import { goMissing } from './harness/go.js'
import { startHost } from './harness/host-registry.js'
import { findRuntime } from './harness/runtimes.js'

for (const name of ['Bun', 'Deno'] as const) {
  const runtime = await findRuntime(name)
  const missing = typeof runtime === 'string' ? runtime : goMissing()
  describeWhen(missing, `real clients on ${name}`)(`real clients on ${name}`, () => {
    if (typeof runtime === 'string') return
    describeClientMatrix([{ name, start: () => startHost(runtime) }], {
      generations: generationsOf('scs-0.4.4', 'container-1.4.12'),
    })
  })
}
