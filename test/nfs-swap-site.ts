// A twin with three nodes on which csi-driver-nfs stands as its chart installs it, with stand-ins for what its controller and ours do: for trying the swap, killed
// at any write.

import { type Api, openApi } from '#kube/client/api.ts'
import { VirtualClock } from '#kube/clock.ts'
import { textAt } from '#kube/objects/object-fields.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { isAlreadyExists } from '#kube/objects/status.ts'
import { startTwin, type Twin } from '#twin/twin.ts'
import type { StepResult } from '../src/migration/run.ts'
import { enabledCapabilities } from '../src/process/enabled-capabilities.ts'
import { carriedSwap, endOf, passed, type SwapWish, upstreamNamed } from './carried-swap.ts'
import { driver, nfsInstallation, nfsNamespace } from './nfs-swap-objects.ts'
import { node } from './small-cluster.ts'
import { type Kill, mortal } from './swap-site.ts'

const { signal } = new AbortController()
export const markKey = 'ballast.dev/nfs-swap'
export const nodeNames = ['n1', 'n2', 'n3']

export const linuxNode = (name: string): KubeObject => {
  const plain = node(name)
  return { ...plain, metadata: { ...plain.metadata, labels: { ...plain.metadata.labels, 'kubernetes.io/os': 'linux' } } }
}

const claimOf = (name: string): KubeObject => ({
  apiVersion: 'v1',
  kind: 'PersistentVolumeClaim',
  metadata: { name, namespace: 'default' },
  spec: { accessModes: ['ReadWriteMany'], storageClassName: 'nfs-slow', resources: { requests: { storage: '1Gi' } } },
})

/** A volume that the driver made, as the provisioner writes it. */
function volumeFor(claim: KubeObject): KubeObject {
  const { name, namespace, uid } = claim.metadata
  return {
    apiVersion: 'v1',
    kind: 'PersistentVolume',
    metadata: { name: `pvc-${uid}`, annotations: { 'pv.kubernetes.io/provisioned-by': driver } },
    spec: {
      accessModes: ['ReadWriteMany'],
      capacity: { storage: '1Gi' },
      storageClassName: 'nfs-slow',
      persistentVolumeReclaimPolicy: 'Delete',
      claimRef: { apiVersion: 'v1', kind: 'PersistentVolumeClaim', name, namespace, uid },
      csi: { driver, volumeHandle: `candlekeep#kubernetes#pvc-${uid}##` },
    },
  }
}

/** It has a volume mounted all the while. */
const player: KubeObject = {
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'player', namespace: 'default' },
  spec: {
    replicas: 2,
    selector: { matchLabels: { app: 'player' } },
    template: {
      metadata: { labels: { app: 'player' } },
      spec: {
        containers: [{ name: 'player', image: 'registry.example/player:1' }],
        volumes: [{ name: 'films', persistentVolumeClaim: { claimName: 'films' } }],
      },
    },
  },
}

interface Applied {
  readonly results: readonly StepResult[]
  readonly isDone: boolean
  readonly error: Error | undefined
  readonly writes: readonly string[]
  readonly told: readonly string[]
}

type Whose = 'upstream' | 'ours'

interface OwnPod {
  readonly pod: KubeObject
  readonly whose: Whose
}

export class NfsSite implements AsyncDisposable {
  readonly clock: VirtualClock
  readonly twin: Twin
  readonly admin: Api
  /** What must never be, each with its moment. */
  readonly harm = new Set<string>()
  /** Called with each write of a migration before it is sent. */
  meanwhile: (write: string) => Promise<void> = async () => undefined
  #kept = ''
  #isOver = false

  private constructor(clock: VirtualClock, twin: Twin) {
    this.clock = clock
    this.twin = twin
    this.admin = openApi(twin.transport({ admin: true }), { clock, userAgent: 'ballast-test' })
  }

  static async start(installation: readonly KubeObject[] = nfsInstallation()): Promise<NfsSite> {
    const clock = new VirtualClock(Date.parse('2026-03-02T04:00:00Z'))
    const objects = [...nodeNames.map(linuxNode), ...installation, claimOf('films'), player]
    const site = new NfsSite(clock, await startTwin({ clock, seed: 1, objects, components: { provisioner: false } }))
    void site.#stand()
    await site.pass(120_000)
    site.#kept = site.#whatStays()
    const players = site.list('pods').filter(({ metadata }) => metadata.labels?.['app'] === 'player')
    if (!site.isBound('films') || players.some(pod => textAt(pod, 'status', 'phase') !== 'Running'))
      throw new Error('nothing is mounted before the swap begins')
    return site
  }

  async apply(wish: SwapWish & { readonly kill?: Kill } = {}): Promise<Applied> {
    const writes: string[] = []
    const results: StepResult[] = []
    const told: string[] = []
    const { kill } = wish
    const death = new AbortController()
    const meanwhile = async (write: string) => {
      this.#look()
      await this.meanwhile(write)
    }
    const transport = mortal(this.twin.transport({ admin: true }), writes, { kill, death, meanwhile })
    const api = openApi(transport, { clock: this.clock, userAgent: 'ballast-test' })
    const reach = { api, clock: this.clock, capabilities: enabledCapabilities, signal: death.signal }
    const tell = (line: string) => told.push(line)
    const run = carriedSwap(upstreamNamed('csi-driver-nfs'), reach, { ...wish, tell }, result => results.push(result))
    return { results, writes, told, ...(await endOf(run, this.clock, 7_200_000)) }
  }

  async pass(ms: number): Promise<void> {
    await passed(this.clock, ms)
  }

  list(resource: string): readonly KubeObject[] {
    return this.twin.access.list(resource) as readonly KubeObject[]
  }

  find(resource: string, name: string): KubeObject | undefined {
    return this.list(resource).find(({ metadata }) => metadata.name === name)
  }

  /** By node: whose drivers have a pod there that is not over. */
  drivers(): ReadonlyMap<string, readonly Whose[]> {
    const on = new Map<string, Whose[]>(this.list('nodes').map(({ metadata }) => [metadata.name, []]))
    for (const { pod, whose } of this.#pods({ upstream: 'csi-nfs-node', ours: 'agent-nfs' }))
      on.get(textAt(pod, 'spec', 'nodeName') ?? '')?.push(whose)
    return on
  }

  /** Whose pods may make volumes. */
  leading(): readonly Whose[] {
    return this.#pods({ upstream: 'csi-nfs-controller', ours: 'nfs-controller' }).map(({ whose }) => whose)
  }

  get marks(): readonly string[] {
    return this.list('nodes').flatMap(({ metadata }) => metadata.labels?.[markKey] ?? [])
  }

  async claim(name: string): Promise<void> {
    await this.admin.resource<KubeObject>(builtIn.persistentvolumeclaims).create(claimOf(name), { namespace: 'default', signal })
  }

  isBound(name: string): boolean {
    return textAt(this.find('persistentvolumeclaims', name), 'status', 'phase') === 'Bound'
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isOver = true
    await this.twin.stop()
  }

  #pods(names: Readonly<Record<Whose, string>>): readonly OwnPod[] {
    return this.list('pods').flatMap((pod): readonly OwnPod[] => {
      const { labels = {} } = pod.metadata
      const phase = textAt(pod, 'status', 'phase')
      if (phase === 'Succeeded' || phase === 'Failed') return []
      if (pod.metadata.namespace === nfsNamespace && labels['app'] === names.upstream) return [{ pod, whose: 'upstream' }]
      return labels['app.kubernetes.io/component'] === names.ours ? [{ pod, whose: 'ours' }] : []
    })
  }

  /** What no step may touch: the class, volumes, who has them, and the driver as the cluster knows it. */
  #whatStays(): string {
    const of = (resource: string) =>
      this.list(resource).map(({ metadata, ...rest }) => [metadata.name, metadata.uid, rest['spec']])
    const volume = this.list('persistentvolumes').filter(one => textAt(one, 'spec', 'claimRef', 'name') === 'films')
    const players = this.list('pods').filter(({ metadata }) => metadata.labels?.['app'] === 'player')
    return JSON.stringify([
      of('csidrivers.storage.k8s.io'),
      this.list('storageclasses.storage.k8s.io'),
      volume.map(({ metadata, ...rest }) => [metadata.uid, rest['spec']]),
      players.map(({ metadata }) => metadata.uid).sort(),
    ])
  }

  #look(): void {
    if (this.#kept === '') return
    const at = `at ${(this.clock.now() / 1000) % 100_000}`
    const drivers = this.drivers()
    for (const [name, whose] of drivers) if (new Set(whose).size > 1) this.harm.add(`two drivers on ${name} ${at}`)
    const bare = [...drivers].filter(([, whose]) => whose.length === 0).map(([name]) => name)
    if (bare.length > 1) this.harm.add(`no driver on ${bare.join(' and ')} ${at}`)
    if (new Set(this.leading()).size > 1) this.harm.add(`two make volumes ${at}`)
    const now = this.#whatStays()
    if (now !== this.#kept) this.harm.add(`changed ${at}: ${now}, was ${this.#kept}`)
  }

  /** Each second: whoever leads makes volumes, and all is looked at. */
  async #stand(): Promise<void> {
    while (!this.#isOver) {
      this.#look()
      if (this.leading().length > 0) for (const claim of this.list('persistentvolumeclaims')) await this.#provision(claim)
      await this.clock.after(1_000)
    }
  }

  async #provision(claim: KubeObject): Promise<void> {
    const volume = volumeFor(claim)
    if (this.isBound(claim.metadata.name) || this.find('persistentvolumes', volume.metadata.name) !== undefined) return
    try {
      await this.admin.resource<KubeObject>(builtIn.persistentvolumes).create(volume, { signal })
    } catch (error) {
      if (!isAlreadyExists(error)) throw error
    }
  }
}
