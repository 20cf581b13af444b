/** Why one rule cannot be evaluated; the others go on. */
export class RuleFailure extends Error {
  override readonly name = 'RuleFailure'
}
