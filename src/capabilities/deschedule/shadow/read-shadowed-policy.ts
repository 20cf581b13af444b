// The policy of the descheduler that is shadowed, read as the drop-in reads it.
import type { KubeObject } from '#kube/objects/objects.ts'
import { InputError } from '#kube/problem.ts'
import type { DeschedulerPolicy } from '../compat/policy/args.ts'
import { readPolicy } from '../compat/policy/read-policy.ts'

/** A policy, and what of it has no effect. */
interface ShadowedPolicy {
  readonly policy: DeschedulerPolicy
  readonly notes: readonly string[]
}

/** @throws InputError with all that is wrong in `text`, which is called `file` */
export function readShadowedPolicy(text: string, file: string, priorityClasses: readonly KubeObject[]): ShadowedPolicy {
  const priorities = new Map(priorityClasses.map(({ metadata, value }) => [metadata.name, value]))
  const priorityOf = (name: string) => {
    const value = priorities.get(name)
    return typeof value === 'number' ? value : undefined
  }
  const reading = readPolicy(text, { file, priorityOf })
  if (!reading.ok) throw new InputError(reading.problems)
  const unknown = reading.unknownFields.map(path => `${file}: ${path} has no effect`)
  return { policy: reading.policy, notes: [...unknown, ...reading.notes] }
}
