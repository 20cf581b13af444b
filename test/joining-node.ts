// A homelab of `examples/` in the twin with Ballast in it, as `ballast up` has it but on a virtual clock, and a node that joins it.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseAllDocuments } from 'yaml'
import { VirtualClock } from '#kube/clock.ts'
import { silentLog } from '#kube/log.ts'
import type { KubeObject, Node, Pod } from '#kube/objects/objects.ts'
import { builtIn, type GroupVersionResource } from '#kube/objects/resource.ts'
import { readSource } from '../src/cli/source/source.ts'
import { type EmbeddedCluster, startEmbeddedCluster } from '../src/cli/up/embedded-cluster.ts'
import { upConfiguration } from '../src/cli/up/up-configuration.ts'
import { installationValues, plainRelease } from '../src/deployment/installation.ts'
import { objects } from '../src/deployment/objects.ts'
import { enabledCapabilities } from '../src/process/enabled-capabilities.ts'
import { ballastNamespace } from '../src/process/own-names.ts'

export const ownTaint = 'ballast.dev/agent-not-ready'
const startMs = Date.UTC(2026, 0, 12, 20)
const { signal } = new AbortController()

const folderOf = (name: string) => join(import.meta.dirname, '../examples', name)

/** What `kubectl get` printed of it, and what its user wrote. */
export function objectsOf(name: string): readonly KubeObject[] {
  return readSource(folderOf(name)).objects.map(({ object }) => object)
}

/** What `ballast manifests -f gitops/values.yaml` prints for it. */
export function manifestsOf(name: string): readonly KubeObject[] {
  const file = join(folderOf(name), 'gitops/values.yaml')
  const asked = { preset: { namespace: { create: true } }, values: { file, text: readFileSync(file, 'utf8') } }
  return objects(installationValues(asked, enabledCapabilities), {
    capabilities: enabledCapabilities,
    release: plainRelease('ballast', ballastNamespace),
  })
}

/** The documents of a file that a user applies later. */
export function documentsOf(name: string, file: string): readonly KubeObject[] {
  return parseAllDocuments(readFileSync(join(folderOf(name), file), 'utf8')).map(document => document.toJS())
}

const resources: Readonly<Record<string, GroupVersionResource>> = {
  Namespace: builtIn.namespaces,
  Node: builtIn.nodes,
  Deployment: builtIn.deployments,
  DaemonSet: builtIn.daemonsets,
  Pod: builtIn.pods,
}

export class JoinedHomelab implements AsyncDisposable {
  readonly clock: VirtualClock
  readonly cluster: EmbeddedCluster
  readonly #stop: AbortController
  /** Told before each look at the cluster: what must never be is refused there. */
  watch: () => void = () => undefined

  constructor(parts: { readonly clock: VirtualClock; readonly cluster: EmbeddedCluster; readonly stop: AbortController }) {
    this.clock = parts.clock
    this.cluster = parts.cluster
    this.#stop = parts.stop
  }

  /** Virtual time until `done`. */
  async until(done: () => boolean, limitMs = 1_800_000): Promise<void> {
    const seen = () => {
      this.watch()
      return done()
    }
    await this.clock.runUntil(seen, { limitMs })
  }

  async pass(ms: number): Promise<void> {
    const untilMs = this.clock.now() + ms
    this.clock.schedule(ms, () => undefined)
    await this.until(() => this.clock.now() >= untilMs, ms + 1_000)
  }

  async apply(all: readonly KubeObject[]): Promise<void> {
    for (const object of all) {
      const resource = resources[object.kind]
      if (resource === undefined) throw new Error(`joining: no resource for ${object.kind}`)
      const { namespace } = object.metadata
      await this.cluster.admin
        .resource<KubeObject>(resource)
        .create(object, { signal, ...(namespace === undefined ? {} : { namespace }) })
    }
  }

  list<T extends KubeObject>(resource: string): readonly T[] {
    // The twin's store holds what the API server validated.
    return this.cluster.twin.access.list(resource) as readonly T[]
  }

  node(name: string): Node | undefined {
    return this.list<Node>('nodes').find(({ metadata }) => metadata.name === name)
  }

  isHeld(name: string): boolean {
    return this.node(name)?.spec?.taints?.some(({ key }) => key === ownTaint) === true
  }

  podsOn(name: string): readonly Pod[] {
    return this.list<Pod>('pods').filter(({ spec }) => spec.nodeName === name)
  }

  isReadyOn(name: string, prefix: string): boolean {
    return this.podsOn(name).some(({ metadata, status }) => metadata.name.startsWith(prefix) && isReady(status))
  }

  pullsOn(name: string) {
    return this.cluster.twin.imagePulls.filter(({ node }) => node === name)
  }

  async eventsOf(name: string): Promise<readonly string[]> {
    const list = await this.cluster.admin.resource<EventObject>(builtIn.events).list({ signal })
    return list.items.filter(({ regarding }) => regarding?.name === name).map(({ reason, note }) => `${reason}: ${note}`)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort(new Error('the test is over'))
    let isOver = false
    const over = Promise.resolve(this.cluster[Symbol.asyncDispose]()).finally(() => {
      isOver = true
    })
    await this.clock.runUntil(() => isOver, { limitMs: 3_600_000 })
    await over
  }
}

interface EventObject extends KubeObject {
  readonly reason?: string
  readonly note?: string
  readonly regarding?: { readonly name?: string }
}

function isReady(status: Pod['status']): boolean {
  return status?.conditions?.some(({ type, status: is }) => type === 'Ready' && is === 'True') === true
}

/** Starts the cluster of `all` with a controller that is configured by the ConfigMap among them. */
export async function homelabWith(all: readonly KubeObject[]): Promise<JoinedHomelab> {
  const clock = new VirtualClock(startMs)
  const stop = new AbortController()
  const { settings, from } = upConfiguration(undefined, all)
  if (from === undefined) throw new Error('joining: nothing configures Ballast here')
  const cluster = await startEmbeddedCluster({ objects: all, clock, seed: 1, settings, log: silentLog, signal: stop.signal })
  const homelab = new JoinedHomelab({ clock, cluster, stop })
  // Since then there are rules: whoever joins is younger.
  await homelab.until(() => homelab.list('configmaps').some(({ metadata }) => metadata.name === 'ballast-readiness-rules'))
  await homelab.pass(5_000)
  return homelab
}
