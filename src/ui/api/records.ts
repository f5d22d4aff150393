/** What the rows of `/api/v1` carry: types alone. */
export type * from '../../core/control/records.js'
