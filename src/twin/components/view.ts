// What components see of the store: typed reads, and indexes of pods by node and by controller that follow each commit.
import type { KubeObject, Pod } from '#kube/objects/objects.ts'
import { StatusError } from '#kube/objects/status.ts'
import type { ClusterAccess } from '../access.ts'
import type { TellTrouble } from '../trouble.ts'
import type { KindEvent, Kinds, KnownResource } from './kinds.ts'
import { controllerOf, keyOf } from './workloads/pod-state.ts'

export class ClusterView implements Disposable {
  readonly #access: ClusterAccess
  readonly #onTrouble: TellTrouble
  readonly #subscriptions = new DisposableStack()
  readonly #byNode = new Map<string, Map<string, Pod>>()
  readonly #byController = new Map<string, Map<string, Pod>>()
  readonly #orphans = new Map<string, Map<string, Pod>>()

  constructor(access: ClusterAccess, onTrouble: TellTrouble) {
    this.#access = access
    this.#onTrouble = onTrouble
    this.each('pods', pod => this.#put(pod))
    // First subscription of all: later ones find the indexes up to date.
    this.on('pods', ({ type, object, previous }) => {
      if (previous !== undefined) this.#take(previous)
      if (type === 'DELETED') this.#take(object)
      else this.#put(object)
    })
  }

  /** `undefined` when the object is absent or the kind is not served. */
  get<K extends KnownResource>(resource: K, namespace: string | undefined, name: string): Kinds[K] | undefined {
    return this.#access.get(resource, namespace, name) as Kinds[K] | undefined
  }

  /** In key order. */
  list<K extends KnownResource>(resource: K, namespace?: string): readonly Kinds[K][] {
    return this.#access.list(resource, namespace) as readonly Kinds[K][]
  }

  /** Does `act` with each object that is there, as a component starts: at one that it cannot read it stops alone, and that is told. */
  each<K extends KnownResource>(resource: K, act: (object: Kinds[K]) => void): void {
    for (const object of this.list(resource)) {
      try {
        act(object)
      } catch (error) {
        // What a server refuses, a queue comes back to.
        if (!(error instanceof StatusError))
          this.#onTrouble({ kind: 'object', where: `${resource} ${keyOf(object)}`, error, count: 1 })
      }
    }
  }

  /** Calls the handler after each commit of the kind; what is there already is not replayed. */
  on<K extends KnownResource>(resource: K, handler: (event: KindEvent<Kinds[K]>) => void): void {
    this.onAny(resource, event => handler(event as KindEvent<Kinds[K]>))
  }

  onAny(resource: string, handler: (event: KindEvent<KubeObject>) => void): void {
    const cancel = this.#access.subscribe(resource, ({ type, object, previous }) => handler({ type, object, previous }))
    this.#subscriptions.defer(cancel)
  }

  /** Pods with `spec.nodeName`, finished and terminating ones too, in the order they came. */
  podsOn(node: string): readonly Pod[] {
    return [...(this.#byNode.get(node)?.values() ?? [])]
  }

  /** Names of the nodes that pods name, whether the node exists or not. */
  firstFew(): readonly string[] {
    return [...this.#byNode.keys()]
  }

  /** Pods whose controller reference has this uid. */
  podsOf(controllerUid: string): readonly Pod[] {
    return [...(this.#byController.get(controllerUid)?.values() ?? [])]
  }

  /** How many these are. */
  countOf(controllerUid: string): number {
    return this.#byController.get(controllerUid)?.size ?? 0
  }

  /** Pods of the namespace without a controller. */
  orphansIn(namespace: string): readonly Pod[] {
    return [...(this.#orphans.get(namespace)?.values() ?? [])]
  }

  [Symbol.dispose](): void {
    this.#subscriptions[Symbol.dispose]()
  }

  #put(pod: Pod): void {
    const key = keyOf(pod)
    if (pod.spec.nodeName) bucket(this.#byNode, pod.spec.nodeName).set(key, pod)
    const controller = controllerOf(pod)
    if (controller === undefined) bucket(this.#orphans, pod.metadata.namespace ?? '').set(key, pod)
    else bucket(this.#byController, controller.uid).set(key, pod)
  }

  #take(pod: Pod): void {
    const key = keyOf(pod)
    if (pod.spec.nodeName) drop(this.#byNode, pod.spec.nodeName, key)
    const controller = controllerOf(pod)
    if (controller === undefined) drop(this.#orphans, pod.metadata.namespace ?? '', key)
    else drop(this.#byController, controller.uid, key)
  }
}

function bucket(index: Map<string, Map<string, Pod>>, at: string): Map<string, Pod> {
  let found = index.get(at)
  if (found === undefined) {
    found = new Map()
    index.set(at, found)
  }
  return found
}

function drop(index: Map<string, Map<string, Pod>>, at: string, key: string): void {
  const found = index.get(at)
  found?.delete(key)
  if (found?.size === 0) index.delete(at)
}
