// TwinUsages: what containers use, as objects.
import { InputError, type Problem } from '#kube/problem.ts'
import { checkAgainst } from '#kube/schema/schema-problems.ts'
import type { UsageModel } from '../components/kubelets/usage-model.ts'
import { twinGroup } from '../faults/fault-spec.ts'
import { fieldsAt } from '../json-value.ts'
import { type KindContext, type KindHandler, writeStatus } from './kind-controller.ts'
import { usageSpec } from './usage-spec.ts'

const resource = `twinusages.${twinGroup}`

/** Sets a rule of usage for each TwinUsage. */
export function usageObjects(context: KindContext, usage: UsageModel): KindHandler {
  const rules = new Map<string, Disposable>()
  return {
    resource,
    set(object) {
      const { name } = object.metadata
      const read = checkAgainst(usageSpec, fieldsAt(object, 'spec') ?? {}, `TwinUsage ${name}: spec`)
      if (!read.ok) throw new InputError(read.problems)
      const onProblem = (problems: readonly Problem[]) => writeStatus(context, resource, name, { fields: {}, problems })
      rules.set(name, usage.set(read.value, { name, onProblem }))
      return {}
    },
    unset(name) {
      rules.get(name)?.[Symbol.dispose]()
      rules.delete(name)
    },
  }
}
