// TwinStages: what absent controllers would do, as objects.
import { InputError, type Problem } from '#kube/problem.ts'
import { checkAgainst } from '#kube/schema/schema-problems.ts'
import type { Stages } from '../components/stages.ts'
import { twinGroup } from '../faults/fault-spec.ts'
import { fieldsAt } from '../json-value.ts'
import { type KindContext, type KindHandler, writeStatus } from './kind-controller.ts'
import { stageSpec } from './stage-spec.ts'

const resource = `twinstages.${twinGroup}`

/** Plays a stage for each TwinStage. */
export function stageObjects(context: KindContext, stages: Stages): KindHandler {
  const playing = new Map<string, Disposable>()
  return {
    resource,
    set(object) {
      const { name } = object.metadata
      const read = checkAgainst(stageSpec, fieldsAt(object, 'spec') ?? {}, `TwinStage ${name}: spec`)
      if (!read.ok) throw new InputError(read.problems)
      let played = 0
      const onProblem = (problems: readonly Problem[]) => writeStatus(context, resource, name, { fields: {}, problems })
      const onPlayed = () => writeStatus(context, resource, name, { fields: { played: ++played } })
      playing.set(name, stages.set(name, read.value, { onPlayed, onProblem }))
      return { played: 0 }
    },
    unset(name) {
      playing.get(name)?.[Symbol.dispose]()
      playing.delete(name)
    },
  }
}
