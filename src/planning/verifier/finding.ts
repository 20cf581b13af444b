// Something in a plan that is not true.

export interface Finding {
  /** A stable kebab-case word. */
  readonly code: string
  /** The id of the move; absent where the plan as a whole is meant. */
  readonly move?: string
  /** The field or resource: `certificate.freeBefore.cpu`, `memory on talos03`. */
  readonly field: string
  readonly found: string
  readonly expected: string
}
