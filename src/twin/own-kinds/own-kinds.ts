// The controllers of TwinClock, TwinFault, TwinUsage and TwinStage inside a twin.
import type * as z from 'zod'
import type { Clock } from '#kube/clock.ts'
import { InputError, type Problem } from '#kube/problem.ts'
import { seededRandom } from '#kube/random.ts'
import { checkAgainst } from '#kube/schema/schema-problems.ts'
import type { ClusterAccess } from '../access.ts'
import { EventRecorder } from '../components/event-recorder.ts'
import type { UsageModel } from '../components/kubelets/usage-model.ts'
import type { Stages } from '../components/stages.ts'
import type { Components } from '../components.ts'
import { twinGroup } from '../faults/fault-spec.ts'
import type { Faults } from '../faults/faults.ts'
import { fieldsAt } from '../json-value.ts'
import { clockObject } from './clock-objects.ts'
import { faultObjects } from './fault-objects.ts'
import { followKind, type KindContext, type KindHandler, writeStatus } from './kind-controller.ts'
import { stageSpec } from './stage-spec.ts'
import { usageSpec } from './usage-spec.ts'

interface OwnKindParts {
  readonly access: ClusterAccess
  readonly clock: Clock
  readonly wire: Clock
  readonly seed: number
  readonly faults: Faults
  readonly components: Components | undefined
}

/** Starts them on what the store holds; the definitions must be there. */
export function startOwnKinds({ access, clock, wire, seed, faults, components }: OwnKindParts): Disposable {
  const random = seededRandom(seed ^ 0x7719)
  const context: KindContext = {
    access,
    events: new EventRecorder(access, { clock, random, mode: 'full' }),
    now: () => clock.now(),
  }
  const stack = new DisposableStack()
  stack.use(followKind(context, faultObjects(context, faults, wire)))
  const isSettled = () => components?.isSettled ?? true
  const nextMs = () => components?.nextTransientMs
  stack.use(followKind(context, clockObject(context, { clock, wire, isSettled, nextMs })))
  if (components === undefined) return stack
  stack.use(followKind(context, usageObjects(context, components.usage)))
  stack.use(followKind(context, stageObjects(context, components.stages)))
  return stack
}

/** Sets a rule of usage for each TwinUsage: what containers use, as objects. */
function usageObjects(context: KindContext, usage: UsageModel): KindHandler {
  const resource = `twinusages.${twinGroup}`
  return eachInForce(context, { resource, kind: 'TwinUsage', schema: usageSpec }, (spec, name, onProblem) => ({
    rule: usage.set(spec, { name, onProblem }),
    status: {},
  }))
}

/** Plays a stage for each TwinStage: what absent controllers would do, as objects. */
function stageObjects(context: KindContext, stages: Stages): KindHandler {
  const resource = `twinstages.${twinGroup}`
  return eachInForce(context, { resource, kind: 'TwinStage', schema: stageSpec }, (spec, name, onProblem) => {
    let played = 0
    const onPlayed = () => writeStatus(context, resource, name, { fields: { played: ++played } })
    return { rule: stages.set(name, spec, { onPlayed, onProblem }), status: { played } }
  })
}

interface InForce {
  readonly rule: Disposable
  /** As it begins. */
  readonly status: Readonly<Record<string, unknown>>
}

/** Each object whose spec a schema reads is in force as long as it is there. */
function eachInForce<Schema extends z.ZodType>(
  context: KindContext,
  { resource, kind, schema }: { readonly resource: string; readonly kind: string; readonly schema: Schema },
  begin: (spec: z.output<Schema>, name: string, onProblem: (problems: readonly Problem[]) => void) => InForce,
): KindHandler {
  const rules = new Map<string, Disposable>()
  return {
    resource,
    set(object) {
      const { name } = object.metadata
      const read = checkAgainst(schema, fieldsAt(object, 'spec') ?? {}, `${kind} ${name}: spec`)
      if (!read.ok) throw new InputError(read.problems)
      const { rule, status } = begin(read.value, name, problems => writeStatus(context, resource, name, { fields: {}, problems }))
      rules.set(name, rule)
      return status
    },
    unset(name) {
      rules.get(name)?.[Symbol.dispose]()
      rules.delete(name)
    },
  }
}
