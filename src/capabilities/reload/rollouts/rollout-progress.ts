// How far the roll-out of a workload has come, as our watches show it.
import { type Fields, fieldOf, fieldsIn, listIn, textIn } from '#cluster/loose-fields.ts'
import type { KubeObject } from '#kube/objects/objects.ts'

type RolloutProgress = 'under-way' | 'done' | 'stuck' | 'not-followed'

/**
 * Progress of the roll-out that made the workload's generation `generation`. `not-followed`: nothing rolls by itself there (a paused Deployment, a
 * strategy `OnDelete`, a kind whose status is somebody else's), so that there is nothing to wait for.
 */
export function rolloutProgress(workload: KubeObject, generation: number): RolloutProgress {
  const spec = fieldsIn(workload, 'spec')
  const status = fieldsIn(workload, 'status')
  const updateStrategy = textIn(fieldsIn(spec, 'updateStrategy'), 'type')
  if (fieldOf(spec, 'paused') === true || updateStrategy === 'OnDelete') return 'not-followed'
  if (workload.kind === 'Rollout') return argoProgress(workload, generation)
  if (!ownKinds.has(workload.kind)) return 'not-followed'
  if (number(status, 'observedGeneration') < Math.max(generation, workload.metadata.generation ?? 0)) return 'under-way'
  const wanted = fieldOf(spec, 'replicas') === undefined ? 1 : number(spec, 'replicas')
  switch (workload.kind) {
    case 'Deployment': {
      const isLate = listIn(status, 'conditions').some(
        condition => textIn(condition, 'type') === 'Progressing' && textIn(condition, 'reason') === 'ProgressDeadlineExceeded',
      )
      if (isLate) return 'stuck'
      return isWhole({
        wanted,
        all: number(status, 'replicas'),
        updated: number(status, 'updatedReplicas'),
        ready: number(status, 'availableReplicas'),
      })
    }
    case 'StatefulSet': {
      const isOneRevision = textIn(status, 'updateRevision') === textIn(status, 'currentRevision')
      const updated = isOneRevision ? number(status, 'replicas') : number(status, 'updatedReplicas')
      return isWhole({ wanted, all: number(status, 'replicas'), updated, ready: number(status, 'readyReplicas') })
    }
    case 'DaemonSet': {
      const desired = number(status, 'desiredNumberScheduled')
      const [updated, ready] = [number(status, 'updatedNumberScheduled'), number(status, 'numberAvailable')]
      return isWhole({ wanted: desired, all: desired, updated, ready })
    }
    default:
      return 'not-followed'
  }
}

/** Kinds whose status says how many pods are as they should be. */
const ownKinds: ReadonlySet<string> = new Set(['Deployment', 'StatefulSet', 'DaemonSet'])

/** Argo writes the generation as text and sums everything up in a phase; a Rollout that nobody runs has none. */
function argoProgress({ metadata, ...rollout }: KubeObject, generation: number): RolloutProgress {
  const status = fieldsIn(rollout, 'status')
  const phase = textIn(status, 'phase')
  if (phase === undefined) return 'not-followed'
  const observed = Number(textIn(status, 'observedGeneration') ?? 0)
  if (observed < Math.max(generation, metadata.generation ?? 0)) return 'under-way'
  if (phase === 'Healthy') return 'done'
  if (phase === 'Degraded') return 'stuck'
  // A canary that waits for a person may wait for days.
  return phase === 'Progressing' ? 'under-way' : 'not-followed'
}

interface Counts {
  readonly wanted: number
  readonly all: number
  readonly updated: number
  readonly ready: number
}

function isWhole({ wanted, all, updated, ready }: Counts): RolloutProgress {
  return updated >= wanted && ready >= wanted && all <= wanted ? 'done' : 'under-way'
}

function number(fields: Fields, name: string): number {
  const value = fieldOf(fields, name)
  return typeof value === 'number' ? value : 0
}
