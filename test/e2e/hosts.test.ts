/** An old and a new generation of the real client against the registry in every host of Node, on a filesystem: the matrix. */
import { describeWhen } from './harness/availability.js'
import { generationsOf } from './harness/client.js'
import { describeClientMatrix } from './harness/client-matrix.js'
import { goMissing } from './harness/go.js'
import { NODE_HOSTS, startHost } from './harness/host-registry.js'

describeWhen(goMissing(), 'real clients in every host')('real clients in every host', () => {
  const hosts = NODE_HOSTS.map((name) => ({ name, start: () => startHost(name) }))
  describeClientMatrix(hosts, { generations: generationsOf('scs-0.4.4', 'container-1.4.12') })
})
