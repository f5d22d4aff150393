/** Rows of transfer URLs. */
import { defineRoute, ok, type RouteRow } from '../route.js'
import * as transfers from './handlers.js'

export const transferRoutes: readonly RouteRow[] = [
  defineRoute({
    name: 'transfers.get',
    method: 'GET',
    path: '/transfers/{capability}',
    secretPath: true,
    summary: 'The bytes of an image, or a range of them, by capability',
    access: 'public',
    body: 'none',
    success: { status: 200, also: [206, 304], schema: 'bytes' },
    handler: transfers.sendBlob,
  }),
  defineRoute({
    name: 'transfers.put',
    method: 'PUT',
    path: '/transfers/{capability}',
    secretPath: true,
    summary: 'The bytes of an upload or of one part, by capability',
    access: 'public',
    body: 'bytes',
    success: ok('empty'),
    handler: transfers.receiveBytes,
  }),
]
