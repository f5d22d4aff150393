/** The version of this package, as `GET version` reports it. A test holds it to package.json. */
export const packageVersion: string = '0.1.0'
