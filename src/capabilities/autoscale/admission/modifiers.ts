// The formula of an object and what its fallback needs, in upstream's words: said at admission, and again where an object came by another way.
import { messageOf } from '#kube/log.ts'
import { type CompositeFormula, compositeFormula } from '../formula/composite.ts'
import type { ScaledObject } from '../kinds/scaled-object.ts'

type Spec = Pick<ScaledObject['spec'], 'advanced' | 'triggers' | 'fallback'>

/** Triggers that the autoscaler reads by itself. */
export function isResourceTrigger({ type }: { readonly type: string }): boolean {
  return type === 'cpu' || type === 'memory'
}

/** Whether any field of scalingModifiers says something. */
function usesModifiers({ advanced }: Spec): boolean {
  return Object.values(advanced?.scalingModifiers ?? {}).some(value => value !== undefined && value !== '')
}

/** The formula of an object, tried; undefined: it has none. @throws Error why it cannot be used */
export function formulaOf(spec: Spec): CompositeFormula | undefined {
  if (!usesModifiers(spec)) return undefined
  const { formula = '', target = '' } = spec.advanced?.scalingModifiers ?? {}
  if (formula === '') throw new Error('error ScalingModifiers.Formula is mandatory')
  const inFormula = (why: string) => new Error(`error validating formula in ScalingModifiers\n${why}`)
  if (target === '') throw inFormula('formula is given but target is empty')
  const names = spec.triggers.flatMap(trigger =>
    isResourceTrigger(trigger) || trigger.name === undefined || trigger.name === '' ? [] : [trigger.name],
  )
  let tried: CompositeFormula
  try {
    tried = compositeFormula(formula, names)
  } catch (error) {
    throw inFormula(messageOf(error))
  }
  if (target.trim() !== target || !(Number(target) > 0) || !Number.isFinite(Number(target)))
    throw new Error(
      `error validating target in ScalingModifiers\nerror converting target for scalingModifiers (string->float) to valid target: ${JSON.stringify(target)}`,
    )
  return tried
}

/** Why the fallback of an object could never stand in; undefined: it can, or there is none. */
export function fallbackProblem(spec: Spec): string | undefined {
  const { fallback } = spec
  if (fallback === undefined) return undefined
  const { failureThreshold, replicas } = fallback
  if (failureThreshold < 0 || replicas < 0)
    return `FailureThreshold=${failureThreshold} & Replicas=${replicas} must both be greater than or equal to 0`
  if (!usesModifiers(spec) && spec.triggers.every(isResourceTrigger))
    return 'at least one trigger (that is not cpu or memory) has to have the `AverageValue` type for the fallback to be enabled'
  return undefined
}

/** The fallback of a formula needs one. */
export function modifiersFallbackProblem({ fallback, advanced }: Spec): string | undefined {
  return fallback?.behavior === 'scalingModifiers' && (advanced?.scalingModifiers?.formula ?? '') === ''
    ? 'scalingModifiers fallback behavior requires scalingModifiers.formula to be defined'
    : undefined
}
