// The picture of an earlier moment, as far as ledger and plan store know it. What nobody kept is not there: no pods, no figures.
import type { ClusterState, NodeState, PodState } from '#cluster/cluster-state.ts'
import { bookAt, permitsKeptMs } from '#coordination/account/rewind.ts'
import type { Observations } from '#coordination/observed/observation.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import type { Picture } from '../picture.ts'

type Moment = { readonly picture: Picture } | { readonly keptFromMs: number }

/**
 * `picture` as it stood at `atMs`; a time that has not come is the present. Permits, plans, events and what others did are those of then.
 * Nodes are named with what they are made of, without pods and without use: of then nobody knows. Sources are those of now.
 * `keptFromMs`: nothing is kept of `atMs`, but from then on.
 */
export function pictureAt(picture: Picture, atMs: number): Moment {
  const present = picture.past?.present ?? picture
  if (atMs >= present.nowMs) return { picture: present }
  const keptFromMs = present.nowMs - permitsKeptMs
  if (atMs < keptFromMs) return { keptFromMs }
  return {
    picture: {
      ...present,
      nowMs: atMs,
      state: new StateOfNodes(present.state, atMs),
      book: bookAt(present.book, { atMs, nowMs: present.nowMs }),
      observed: observedUntil(present.observed, atMs),
      measured: undefined,
      twin: undefined,
      loading: undefined,
      past: { present },
    },
  }
}

function observedUntil(observed: Observations, atMs: number): Observations {
  return {
    ofWorkload: workload => observed.ofWorkload(workload).filter(one => one.atMs <= atMs),
    since: ms => observed.since(ms).filter(one => one.atMs <= atMs),
  }
}

/** Kinds that say how things stand at one moment. */
const figures: ReadonlySet<string> = new Set(['Pod', 'NodeMetrics', 'PodMetrics'])

/** A cluster of which only what it is made of is known, not what ran on it. Nodes that came later are left out. */
class StateOfNodes implements ClusterState {
  readonly nodes: ReadonlyMap<string, NodeState>
  readonly pods: ReadonlyMap<string, PodState> = new Map()
  readonly #present: ClusterState

  constructor(present: ClusterState, atMs: number) {
    this.#present = present
    const wasThere = ({ object }: NodeState) => !(Date.parse(object.metadata.creationTimestamp ?? '') > atMs)
    this.nodes = new Map([...present.nodes].filter(([, node]) => wasThere(node)))
  }

  podsOn(_node: string): readonly PodState[] {
    return []
  }

  podsOf(_workloadUid: string): readonly PodState[] {
    return []
  }

  objects(kind: string): readonly KubeObject[] {
    return isFigure(kind) ? [] : this.#present.objects(kind)
  }

  objectsIn(kind: string, namespace: string): readonly KubeObject[] {
    return isFigure(kind) ? [] : this.#present.objectsIn(kind, namespace)
  }

  object(kind: string, namespace: string | undefined, name: string): KubeObject | undefined {
    return isFigure(kind) ? undefined : this.#present.object(kind, namespace, name)
  }
}

/** Whether the kind is `NodeMetrics` or `NodeMetrics.metrics.k8s.io`. */
function isFigure(kind: string): boolean {
  return figures.has(kind.split('.')[0] ?? kind)
}
