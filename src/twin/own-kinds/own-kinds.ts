// The controllers of TwinClock, TwinFault, TwinUsage and TwinStage inside a twin.
import type { Clock } from '#kube/clock.ts'
import { seededRandom } from '#kube/random.ts'
import type { ClusterAccess } from '../access.ts'
import { EventRecorder } from '../components/event-recorder.ts'
import type { Components } from '../components.ts'
import type { Faults } from '../faults/faults.ts'
import { clockObject } from './clock-objects.ts'
import { faultObjects } from './fault-objects.ts'
import { followKind, type KindContext } from './kind-controller.ts'
import { stageObjects } from './stage-objects.ts'
import { usageObjects } from './usage-objects.ts'

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
