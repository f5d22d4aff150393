/**
 * The route table: it runs the server, and the OpenAPI document, the labels of logs and the
 * coverage tests are made from it.
 */
import { discoveryRoutes } from './discovery/routes.js'
import { imageRoutes, tagRoutes } from './images/routes.js'
import { namespaceRoutes } from './namespaces/routes.js'
import type { RouteRow } from './route.js'
import { transferRoutes } from './transfers/routes.js'
import { uploadRoutes } from './uploads/routes.js'

/** Every row of the library itself; those of extensions come behind them. */
export const routes: readonly RouteRow[] = [
  ...discoveryRoutes,
  ...namespaceRoutes,
  ...imageRoutes,
  ...uploadRoutes,
  ...transferRoutes,
  ...tagRoutes,
]
