import { nodeHost } from './hosts/node.js'
import { describeHost } from './suite.js'

describeHost(nodeHost)
