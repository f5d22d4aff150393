/** Every generation of the real client against `sif-library serve` and against the middleware in Express, on a filesystem: the matrix. */
import { describeWhen } from './harness/availability.js'
import { describeClientMatrix } from './harness/client-matrix.js'
import { goMissing } from './harness/go.js'
import { startExpress, startServe } from './harness/server.js'

describeWhen(goMissing(), 'real clients')('real clients', () => {
  describeClientMatrix([
    { name: 'sif-library serve', start: () => startServe() },
    // the old clients drop the path of the base URL (protocol 3.1): for them the registry is mounted at the root
    { name: 'Express', start: ({ prefix }) => startExpress({ prefix: prefix ? '/library' : '' }) },
  ])
})
