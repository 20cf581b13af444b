// What a line of the ledger is measured by.

/** What a granted line is measured by. */
export interface Wish {
  readonly key: string
  /** When the permit's object was made; undefined: of one that went along. */
  readonly createdMs: number | undefined
  readonly grantedMs: number
}
