/** What the rows of `/api/v1` carry: types alone. */
export type * from '../../core/control/records.js'
export type { SifInspection, SifLink, SifObject } from '../../sif/index.js'
