import { connectHost } from './hosts/express.js'
import { describeHost } from './suite.js'

describeHost(connectHost)
