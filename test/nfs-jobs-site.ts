// A twin whose volumes are left to real provisioners, a CSI driver behind a socket, and the jobs between them, under the rights that they ask for.

import type { Permission } from '#coordination/needs.ts'
import { agentPlace, partRights } from '#coordination/rbac.ts'
import { type Api, openApi } from '#kube/client/api.ts'
import { ConnectionError } from '#kube/client/connection-error.ts'
import type { Transport, TransportRequest } from '#kube/client/transport.ts'
import { VirtualClock } from '#kube/clock.ts'
import type { Log } from '#kube/log.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { builtIn, type GroupVersionResource, resourceKey } from '#kube/objects/resource.ts'
import { seededRandom } from '#kube/random.ts'
import { startTwin, type Twin } from '#twin/twin.ts'
import { type JobsConfig, type RunningJobs, startJobs } from '../src/capabilities/nfs/jobs/jobs.ts'
import { standardProvision } from '../src/capabilities/nfs/jobs/provision/settings.ts'
import { standardResize } from '../src/capabilities/nfs/jobs/resize/settings.ts'
import { jobNeeds, jobPermissions } from '../src/capabilities/nfs/jobs/rights.ts'
import { standardSnapshot, standardSnapshotController } from '../src/capabilities/nfs/jobs/snapshot/settings.ts'
import { contents, snapshotClasses, snapshots } from '../src/capabilities/nfs/jobs/snapshot/snapshot-kinds.ts'
import type { Claim, StoredVolume } from '../src/capabilities/nfs/jobs/storage-kinds.ts'
import { type CalledMethod, FakeDriver } from './nfs-jobs-driver.ts'

const { signal } = new AbortController()
export const ownNamespace = 'csi-nfs'
export const account = 'csi-nfs-controller-sa'
const startMs = Date.parse('2026-03-02T04:00:00Z')

export const election = { namespace: ownNamespace, leaseDurationMs: 15_000, renewDeadlineMs: 10_000, retryPeriodMs: 5_000 }
/** All jobs, as a controller pod has them. */
export const allJobs: JobsConfig = {
  provision: { ...standardProvision, tellsNames: true },
  resize: standardResize,
  snapshot: standardSnapshot,
  snapshotController: standardSnapshotController,
  election,
}

/** The provisioner with nobody beside it. */
export const alone: JobsConfig = { provision: { ...standardProvision, tellsNames: true } }

export const nfsSlow: KubeObject = {
  apiVersion: 'storage.k8s.io/v1',
  kind: 'StorageClass',
  metadata: { name: 'nfs-slow' },
  provisioner: 'nfs.csi.k8s.io',
  parameters: { server: 'candlekeep', share: '/kubernetes' },
  mountOptions: ['nfsvers=4.1', 'nconnect=16'],
  reclaimPolicy: 'Delete',
  volumeBindingMode: 'Immediate',
  allowVolumeExpansion: true,
}

export function claim(name: string, spec: object = {}, metadata: object = {}): KubeObject {
  return {
    apiVersion: 'v1',
    kind: 'PersistentVolumeClaim',
    metadata: { name, namespace: 'media', ...metadata },
    spec: {
      accessModes: ['ReadWriteMany'],
      storageClassName: 'nfs-slow',
      resources: { requests: { storage: '1Gi' } },
      ...spec,
    },
  }
}

export const attributesClass = (name: string, parameters: Readonly<Record<string, string>>): KubeObject => ({
  apiVersion: 'storage.k8s.io/v1',
  kind: 'VolumeAttributesClass',
  metadata: { name },
  driverName: 'nfs.csi.k8s.io',
  parameters,
})

export const snapshotClass: KubeObject = {
  apiVersion: 'snapshot.storage.k8s.io/v1',
  kind: 'VolumeSnapshotClass',
  metadata: { name: 'csi-nfs-snapclass', annotations: { 'snapshot.storage.kubernetes.io/is-default-class': 'true' } },
  driver: 'nfs.csi.k8s.io',
  deletionPolicy: 'Delete',
}

export function snapshot(name: string, spec: object, metadata: object = {}): KubeObject {
  return {
    apiVersion: 'snapshot.storage.k8s.io/v1',
    kind: 'VolumeSnapshot',
    metadata: { name, namespace: 'media', ...metadata },
    spec,
  }
}

/** Definitions that take any content. */
export const snapshotDefinitions: readonly KubeObject[] = [
  definition('VolumeSnapshot', snapshots, 'Namespaced'),
  definition('VolumeSnapshotContent', contents, 'Cluster'),
  definition('VolumeSnapshotClass', snapshotClasses, 'Cluster'),
]

function definition(kind: string, { group, version, resource }: GroupVersionResource, scope: string): KubeObject {
  const open = { type: 'object', 'x-kubernetes-preserve-unknown-fields': true }
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: {
      name: `${resource}.${group}`,
      annotations: { 'api-approved.kubernetes.io': 'https://github.com/kubernetes-csi/external-snapshotter/pull/814' },
    },
    spec: {
      group,
      scope,
      names: { kind, plural: resource, singular: kind.toLowerCase(), listKind: `${kind}List` },
      versions: [
        {
          name: version,
          served: true,
          storage: true,
          schema: { openAPIV3Schema: open },
          subresources: kind === 'VolumeSnapshotClass' ? {} : { status: {} },
        },
      ],
    },
  }
}

/** Kills the jobs before or after their n-th effect: a write of the API, or a call that makes or deletes something in the driver. */
export interface Kill {
  readonly effect: number
  readonly when: 'before' | 'after'
}

interface SiteOptions {
  readonly objects?: readonly KubeObject[]
  readonly config?: JobsConfig
  readonly driver?: FakeDriver
  readonly kill?: Kill
  readonly withSnapshots?: boolean
  /** What is between the jobs and the API server. */
  readonly between?: ((inner: Transport, clock: VirtualClock) => Transport) | undefined
}

interface EventObject extends KubeObject {
  readonly type: string
  readonly reason: string
  readonly message: string
  readonly count: number
  readonly involvedObject: { readonly kind: string; readonly name: string }
  readonly source: { readonly component: string }
}

interface Life {
  readonly dead: AbortController
  readonly jobs: RunningJobs
  readonly api: Api
}

const effects: readonly CalledMethod[] = [
  'createVolume',
  'deleteVolume',
  'createSnapshot',
  'deleteSnapshot',
  'expandVolume',
  'modifyVolume',
  'attachVolume',
  'detachVolume',
]

export class JobsSite implements AsyncDisposable {
  readonly clock: VirtualClock
  readonly twin: Twin
  readonly driver: FakeDriver
  readonly admin: Api
  /** What the jobs did, in order: writes that reached the server, and calls. */
  readonly effects: string[] = []
  readonly forbidden: string[] = []
  readonly errors: string[] = []
  readonly warnings: string[] = []
  started = 0
  /** What a write of the jobs waits for before it is sent. */
  beforeWrite: (write: string) => Promise<void> | void = () => undefined
  /** A write waits for that. */
  isHolding = false
  #arePaused = false
  readonly #config: JobsConfig
  readonly #token: string
  readonly #between: NonNullable<SiteOptions['between']>
  readonly #over = new AbortController()
  #kill: Kill | undefined
  #life: Life | undefined
  readonly #ends: Promise<void>[] = []

  constructor(parts: {
    readonly clock: VirtualClock
    readonly twin: Twin
    readonly driver: FakeDriver
    readonly admin: Api
    readonly token: string
    readonly options: SiteOptions
  }) {
    const { clock, twin, driver, admin, token, options } = parts
    this.clock = clock
    this.twin = twin
    this.driver = driver
    this.admin = admin
    this.#token = token
    this.#config = options.config ?? allJobs
    this.#kill = options.kill
    this.#between = options.between ?? (inner => inner)
    driver.meanwhile = (method, moment) => this.#called(method, moment)
  }

  get jobs(): RunningJobs | undefined {
    return this.#life?.jobs
  }

  get isAlive(): boolean {
    return this.#life !== undefined && !this.#life.dead.signal.aborted
  }

  /** A new process with an identity of its own. */
  start(config: JobsConfig = this.#config): void {
    this.started++
    const dead = new AbortController()
    const transport = this.#between(this.#mortal(this.twin.transport({ token: this.#token }), dead), this.clock)
    const api = openApi(transport, { clock: this.clock, userAgent: 'jobs' })
    const jobs = startJobs(
      {
        api,
        address: this.driver.address,
        config,
        clock: this.clock,
        random: seededRandom(this.started),
        log: this.#log(dead.signal),
        identity: { instance: `controller-${this.started}_uuid` },
      },
      dead.signal,
    )
    this.#life = { dead, jobs, api }
  }

  /** Ends the jobs as SIGTERM does. */
  async stop(): Promise<void> {
    const life = this.#life
    this.#life = undefined
    if (life === undefined) return
    let isOver = false
    const end = Promise.resolve(life.jobs[Symbol.asyncDispose]()).finally(() => {
      isOver = true
    })
    await this.clock.runUntil(() => isOver, { limitMs: 60_000 })
    await end
  }

  /** Virtual time until `holds`; jobs that were killed are followed by others. */
  async until(holds: () => boolean, limitMs = 3_600_000): Promise<void> {
    await this.clock.runUntil(
      () => {
        if (!this.isAlive) this.start()
        return holds()
      },
      { limitMs },
    )
  }

  async pass(ms: number): Promise<void> {
    const untilMs = this.clock.elapsed() + ms
    this.clock.schedule(ms, () => undefined)
    await this.until(() => this.clock.elapsed() >= untilMs, ms + 1_000)
  }

  /** Virtual time while no process of this site is started anew. */
  async whileStopped(holds: () => boolean): Promise<void> {
    await this.clock.runUntil(holds, { limitMs: 3_600_000 })
  }

  /** From now on the jobs renew no Lease, as a process that is stopped. */
  pauseLeases(): void {
    this.#arePaused = true
  }

  adminTransport(): Transport {
    return this.twin.transport({ user: 'admin', groups: ['system:masters'] })
  }

  /** As the jobs of this site reach the API server. */
  ownTransport(): Transport {
    return this.twin.transport({ token: this.#token })
  }

  list<T extends KubeObject>(resource: GroupVersionResource | string): readonly T[] {
    return this.twin.access.list(typeof resource === 'string' ? resource : resourceKey(resource)) as readonly T[]
  }

  claim(name: string): Claim | undefined {
    return this.list<Claim>('persistentvolumeclaims').find(one => one.metadata.name === name)
  }

  volumes(): readonly StoredVolume[] {
    return this.list<StoredVolume>('persistentvolumes')
  }

  isBound(name: string): boolean {
    return this.claim(name)?.status?.phase === 'Bound'
  }

  async create(resource: GroupVersionResource, object: KubeObject): Promise<void> {
    await this.admin.resource(resource).create(object, { signal })
  }

  async delete(resource: GroupVersionResource, name: string, namespace?: string): Promise<void> {
    await this.admin.resource(resource).delete(name, { signal, namespace })
  }

  async change(
    resource: GroupVersionResource,
    name: string,
    body: object,
    options: { namespace?: string; subresource?: string } = {},
  ): Promise<void> {
    await this.admin.resource(resource).patch(name, { type: 'merge', body }, { signal, ...options })
  }

  /** Events that sources of the jobs wrote, as a person reads them and in the order of the alphabet: `Normal Provisioning a: … [source]`. */
  events(): readonly string[] {
    return this.list<EventObject>('events')
      .flatMap(({ type, reason, message, involvedObject, source }) =>
        source?.component === undefined || source.component === 'persistentvolume-controller'
          ? []
          : [`${type} ${reason} ${involvedObject.name}: ${message} [${source.component}]`],
      )
      .sort()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#over.abort(new Error('the test is over'))
    this.#life?.dead.abort(new Error('the test is over'))
    const life = this.#life
    this.#life = undefined
    this.driver.stop()
    await this.twin.stop()
    let isOver = false
    const end = Promise.all([...this.#ends, life?.jobs[Symbol.asyncDispose]()]).finally(() => {
      isOver = true
    })
    while (!isOver) await this.clock.advance(1_000)
    await end
    await this.driver[Symbol.asyncDispose]()
  }

  #die(): void {
    this.#kill = undefined
    const life = this.#life
    if (life === undefined) return
    life.dead.abort(new Error('killed'))
    this.#ends.push(Promise.resolve(life.jobs[Symbol.asyncDispose]()))
  }

  /** Whether the jobs die at this moment of their next effect. */
  #diesAt(when: Kill['when'], effect: number): boolean {
    return this.#kill?.when === when && this.#kill.effect === effect
  }

  async #called(method: CalledMethod, moment: 'before' | 'after'): Promise<void> {
    if (!effects.includes(method)) return
    if (moment === 'before' && this.#diesAt('before', this.effects.length + 1)) {
      this.#die()
      // It is asked, and whoever asked is gone: what it does then is done for nobody.
      throw new Error('killed before the driver did it')
    }
    if (moment === 'before') this.effects.push(`call ${method}`)
    else if (this.#diesAt('after', this.effects.length)) this.#die()
  }

  #log(dead: AbortSignal): Log {
    const nothing = () => undefined
    const note = (to: string[]) => (facts: object, message: string) => {
      if (!dead.aborted) to.push(`${message} ${JSON.stringify(facts)}`)
    }
    return { debug: nothing, info: nothing, warn: note(this.warnings), error: note(this.errors) }
  }

  #mortal(inner: Transport, dead: AbortController): Transport {
    const withLife = (request: TransportRequest): TransportRequest => ({
      ...request,
      signal: AbortSignal.any([request.signal, dead.signal]),
    })
    const alive = async <T>(work: () => Promise<T>): Promise<T> => {
      if (dead.signal.aborted) throw new ConnectionError('killed')
      return await work()
    }
    return {
      request: request =>
        alive(async () => {
          if (this.#arePaused && request.path.includes('/leases/')) throw new ConnectionError('the process is stopped')
          if (request.verb === 'GET') return await inner.request(withLife(request))
          const held = this.beforeWrite(request.path)
          if (held !== undefined) {
            this.isHolding = true
            await held
          }
          request.guard?.()
          if (this.#diesAt('before', this.effects.length + 1)) {
            this.#die()
            throw new ConnectionError('killed')
          }
          this.effects.push(`${request.verb} ${request.path}`)
          const number = this.effects.length
          const answer = await inner.request(request)
          if (answer.status === 403)
            this.forbidden.push(`${request.verb} ${request.path}: ${new TextDecoder().decode(answer.body)}`)
          if (this.#diesAt('after', number)) {
            this.#die()
            throw new ConnectionError('killed')
          }
          return answer
        }),
      stream: request => alive(() => inner.stream(withLife(request))),
      close: () => inner.close(),
    }
  }
}

/** Rules of the jobs as a role for the whole cluster, and one for their own namespace. */
export function jobRoles(config: JobsConfig, more: readonly Permission[] = []): readonly KubeObject[] {
  const rights = partRights({ needs: jobNeeds(config), permissions: [...jobPermissions(config), ...more] }, undefined)
  const rulesAt = (place: string) =>
    rights
      .filter(right => right.place === place)
      .map(({ group, resource, verb }) => ({ apiGroups: [group], resources: [resource], verbs: [verb] }))
  const subjects = [{ kind: 'ServiceAccount', name: account, namespace: ownNamespace }]
  const group = 'rbac.authorization.k8s.io'
  return [
    { apiVersion: `${group}/v1`, kind: 'ClusterRole', metadata: { name: 'jobs' }, rules: rulesAt('cluster') },
    {
      apiVersion: `${group}/v1`,
      kind: 'ClusterRoleBinding',
      metadata: { name: 'jobs' },
      roleRef: { apiGroup: group, kind: 'ClusterRole', name: 'jobs' },
      subjects,
    },
    { apiVersion: `${group}/v1`, kind: 'Role', metadata: { name: 'jobs', namespace: ownNamespace }, rules: rulesAt(agentPlace) },
    {
      apiVersion: `${group}/v1`,
      kind: 'RoleBinding',
      metadata: { name: 'jobs', namespace: ownNamespace },
      roleRef: { apiGroup: group, kind: 'Role', name: 'jobs' },
      subjects,
    },
  ]
}

const namespace = (name: string): KubeObject => ({ apiVersion: 'v1', kind: 'Namespace', metadata: { name } })

/** The cluster, and the driver at its socket; no job runs yet. */
export async function jobsSite(options: SiteOptions = {}): Promise<JobsSite> {
  const { objects = [], driver = new FakeDriver(), config = allJobs, withSnapshots = true } = options
  const clock = new VirtualClock(startMs)
  const twin = await startTwin({
    clock,
    wire: clock,
    authorization: 'RBAC',
    scheduler: false,
    kubelet: false,
    components: { provisioner: false },
    objects: [
      namespace('default'),
      namespace('media'),
      namespace(ownNamespace),
      { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: account, namespace: ownNamespace } },
      ...jobRoles(config),
      ...(withSnapshots ? snapshotDefinitions : []),
      nfsSlow,
      ...objects,
    ],
  })
  await driver.start()
  const token = await twin.issueToken({ namespace: ownNamespace, serviceAccount: account })
  const admin = openApi(twin.transport({ user: 'admin', groups: ['system:masters'] }), { clock, userAgent: 'admin' })
  return new JobsSite({ clock, twin, driver, admin, token, options })
}

export const { persistentvolumeclaims: claims, persistentvolumes: volumes, secrets, storageclasses } = builtIn

/** Another process beside that of the site, with the same configuration. */
export function secondJobs(site: JobsSite, config: JobsConfig = allJobs) {
  const { clock } = site
  const inner = site.ownTransport()
  const seen: string[] = []
  const note = <T>(request: TransportRequest, answer: Promise<T>): Promise<T> => {
    seen.push(request.path)
    return answer
  }
  const transport: Transport = {
    request: request => note(request, inner.request(request)),
    stream: request => note(request, inner.stream(request)),
    close: () => inner.close(),
  }
  const api = openApi(transport, { clock, userAgent: 'second' })
  const options = {
    api,
    address: site.driver.address,
    config,
    clock,
    random: seededRandom(77),
    identity: { instance: 'second_uuid' },
  }
  const nothing = () => undefined
  const log: Log = { debug: nothing, info: nothing, warn: nothing, error: nothing }
  const jobs = startJobs({ ...options, log }, new AbortController().signal)
  return {
    jobs,
    /** Paths that were asked for, whatever with. */
    reads: () => seen,
    leads: () => jobs.checks().every(({ state }) => state === 'it leads'),
    async stop() {
      let isOver = false
      const end = Promise.resolve(jobs[Symbol.asyncDispose]()).finally(() => {
        isOver = true
      })
      await clock.runUntil(() => isOver, { limitMs: 60_000 })
      await end
    },
  }
}
