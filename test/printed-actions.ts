// Every action of the dashboard on a twin, and then the line that it prints: both must leave the same behind.
import { isDeepStrictEqual } from 'node:util'
import { rebalancePlans, rebalancePolicies } from '#coordination/api.ts'
import { move, plan as runningPlan } from '#coordination/plans/testdata/objects.ts'
import { type Actions, openActions } from '#dashboard/actions/actions.ts'
import type { ActionBody, ActionName } from '#dashboard/contract.ts'
import type { Picture } from '#dashboard/picture.ts'
import { pictureOf } from '#dashboard/views/testdata/homelab.ts'
import { type Api, openApi } from '#kube/client/api.ts'
import { VirtualClock } from '#kube/clock.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { builtIn, type GroupVersionResource } from '#kube/objects/resource.ts'
import { isNotFound } from '#kube/objects/status.ts'
import { seededRandom } from '#kube/random.ts'
import { startTwin, type Twin } from '#twin/twin.ts'
import { installBallast } from '../src/deployment/install-ballast.ts'
import { enabledCapabilities } from '../src/process/enabled-capabilities.ts'
import { namespace } from './controlled-cluster.ts'
import { node, smallPolicy, smallWorkload } from './small-cluster.ts'

const ballast = { group: 'ballast.dev', version: 'v1alpha1' } as const
const twinClocks: GroupVersionResource = { ...ballast, resource: 'twinclocks' }
const twinFaults: GroupVersionResource = { ...ballast, resource: 'twinfaults' }

interface At {
  readonly resource: GroupVersionResource
  readonly name: string
  readonly namespace?: string
}

const plan: At = { resource: rebalancePlans, name: 'small-0' }
const policy: At = { resource: rebalancePolicies, name: 'small' }
const web: At = { resource: builtIn.deployments, name: 'web', namespace: 'shop' }
const clock: At = { resource: twinClocks, name: 'clock' }

interface Row {
  readonly action: ActionName
  readonly body: Partial<ActionBody>
  /** What is written. */
  readonly at: At
}

const approval = { plan: 'small-0', snapshotHash: 'sha256:0' }

// biome-ignore format: a table
export const printedActions: readonly Row[] = [
  { action: 'approve', body: approval, at: plan },
  { action: 'step', body: approval, at: plan },
  { action: 'pause', body: { plan: 'small-0', reason: `it's "late", $HOME \`x\`; <b>=cmd ünd 日本` }, at: plan },
  { action: 'resume', body: { plan: 'small-0' }, at: plan },
  { action: 'replan', body: { policy: 'small' }, at: policy },
  { action: 'freeze', body: { scope: null, reason: 'update night' }, at: { resource: builtIn.namespaces, name: namespace } },
  { action: 'freeze', body: { scope: { kind: 'Namespace', namespace: null, name: 'shop' } }, at: { resource: builtIn.namespaces, name: 'shop' } },
  { action: 'freeze', body: { scope: { kind: 'Deployment', namespace: 'shop', name: 'web' }, reason: 'a=b-' }, at: web },
  { action: 'freeze', body: { scope: { kind: 'Node', namespace: null, name: 'n1' } }, at: { resource: builtIn.nodes, name: 'n1' } },
  { action: 'thaw', body: { scope: { kind: 'Deployment', namespace: 'shop', name: 'web' } }, at: web },
  { action: 'twin/speed', body: { speed: 0.5 }, at: clock },
  { action: 'twin/speed', body: { speed: 'max' }, at: clock },
  { action: 'twin/pause', body: {}, at: clock },
  { action: 'twin/run', body: {}, at: clock },
  { action: 'twin/advance', body: { advanceMs: 61_500 }, at: clock },
  { action: 'twin/next', body: {}, at: clock },
  { action: 'twin/fault', body: { fault: { kind: 'stop-node', node: 'n1', minutes: 5 } }, at: { resource: twinFaults, name: 'page-1' } },
  { action: 'twin/fault', body: { fault: { kind: 'slow-pulls' } }, at: { resource: twinFaults, name: 'page-1' } },
  { action: 'twin/fault', body: { fault: { kind: 'metrics-silent', minutes: 30 } }, at: { resource: twinFaults, name: 'page-1' } },
  { action: 'twin/heal', body: { name: 'old' }, at: { resource: twinFaults, name: 'old' } },
]

/** A twin without controllers, with a plan, its policy, a workload and a fault that does nothing. */
export class PrintedSite implements AsyncDisposable {
  readonly twin: Twin
  readonly api: Api
  readonly #actions: Actions = openActions({ random: seededRandom(1) })
  readonly #base = new Map<At, KubeObject>()
  #sequence = 1

  static async start(listen?: { readonly port: number }): Promise<PrintedSite> {
    const ownClock = new VirtualClock(Date.parse('2026-03-02T04:00:00Z'))
    const objects = [
      node('n1'),
      { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'shop' } },
      ...smallWorkload({ name: 'web', cpu: '500m', on: [], owner: 'descheduler' }),
    ]
    const twin = await startTwin({
      clock: ownClock,
      seed: 1,
      objects,
      ownKinds: true,
      components: false,
      ...(listen === undefined ? {} : { listen }),
    })
    const api = openApi(twin.transport({ admin: true }), { clock: ownClock, userAgent: 'test admin' })
    const site = new PrintedSite(twin, api)
    const signal = site.#signal
    await installBallast(api, { capabilities: enabledCapabilities, namespace, signal })
    const made = runningPlan({ name: plan.name, moves: [move(), move({ id: 'm02', wave: 2 })] })
    const { status: _, ...unread } = { ...made, metadata: { name: plan.name } }
    await api
      .resource(rebalancePlans)
      .create({ ...unread, spec: { ...unread.spec, policyRef: { name: 'small' }, approved: false } }, { signal })
    await api.resource(rebalancePolicies).create(smallPolicy(), { signal })
    await api
      .resource(twinClocks)
      .create({ apiVersion: 'ballast.dev/v1alpha1', kind: 'TwinClock', metadata: { name: 'clock' }, spec: {} }, { signal })
    const idle = { match: { resource: 'leases', verbs: ['deletecollection'] }, status: { code: 500 } }
    await api
      .resource(twinFaults)
      .create({ apiVersion: 'ballast.dev/v1alpha1', kind: 'TwinFault', metadata: { name: 'old' }, spec: idle }, { signal })
    await site.#frozen()
    for (const { at } of printedActions) {
      const object = await site.#get(at)
      if (object !== undefined) site.#base.set(at, object)
    }
    return site
  }

  private constructor(twin: Twin, api: Api) {
    this.twin = twin
    this.api = api
  }

  /** What differs between the action and its line, which `run` runs; empty where nothing does. */
  async compare({ action, body, at }: Row, run: (line: string) => Promise<void>): Promise<string> {
    const versionBefore = (await this.#get(at))?.metadata.resourceVersion
    const done = await this.perform(action, body)
    if (!('done' in done)) return `${action} was refused: ${done.message}`
    const byAction = await this.#left(at)
    await this.#restore(at)
    const between = await this.#left(at)
    const version = (await this.#get(at))?.metadata.resourceVersion
    await run(done.kubectl.replace(`"resourceVersion":"${versionBefore}"`, `"resourceVersion":"${version}"`))
    const byLine = await this.#left(at)
    await this.#restore(at)
    if (!isDeepStrictEqual(byAction, byLine))
      return `${action}: ${JSON.stringify(byAction)}\nbut ${done.kubectl}: ${JSON.stringify(byLine)}`
    // Time is advanced by both, and leaves nothing else.
    const isChange = !isDeepStrictEqual(byAction, between) || /advance|next/.test(action)
    return isChange ? '' : `${action} changed nothing: ${JSON.stringify(byAction)}`
  }

  /** In the name of `anna`, who has looked just now. */
  async perform(action: ActionName, body: Partial<ActionBody>, api = this.api) {
    const picture = this.#picture()
    const seen = { revision: `e1.${picture.sequence}`, ...body }
    return this.#actions.perform(action, seen, { viewer: 'anna', api, picture })
  }

  /** What the policy has been told last. */
  async askedForPlanAt(): Promise<string | undefined> {
    return (await this.#get(policy))?.metadata.annotations?.['ballast.dev/plan-now']
  }

  /** Resolves when Events have been sent. */
  async closeActions(): Promise<void> {
    await this.#actions[Symbol.asyncDispose]()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.closeActions()
    await this.api.close()
    await this.twin.stop()
  }

  get #signal(): AbortSignal {
    return AbortSignal.timeout(120_000)
  }

  async #frozen(): Promise<void> {
    const body = { metadata: { annotations: { 'ballast.dev/freeze': 'before', 'ballast.dev/run-until': 'm02' } } }
    for (const { resource, name, namespace: of } of [plan, web])
      await this.api.resource(resource).patch(name, { type: 'merge', body }, { signal: this.#signal, namespace: of })
  }

  async #get({ resource, name, namespace: of }: At): Promise<KubeObject | undefined> {
    try {
      return await this.api.resource(resource).get(name, { signal: this.#signal, namespace: of })
    } catch (error) {
      if (isNotFound(error)) return undefined
      throw error
    }
  }

  async #left(at: At): Promise<readonly unknown[]> {
    const object = await this.#get(at)
    return [object?.metadata.annotations, object?.['spec']]
  }

  async #restore(at: At): Promise<void> {
    const { resource, name, namespace: of } = at
    const base = this.#base.get(at)
    const now = await this.#get(at)
    const options = { signal: this.#signal, namespace: of }
    if (base === undefined) {
      if (now !== undefined) await this.api.resource(resource).delete(name, options)
    } else {
      const { resourceVersion: _, uid: __, ...metadata } = base.metadata
      if (now === undefined) await this.api.resource(resource).create({ ...base, metadata }, options)
      else
        await this.api
          .resource(resource)
          .update({ ...base, metadata: { ...metadata, resourceVersion: now.metadata.resourceVersion ?? '' } }, options)
    }
  }

  /** From the store: an API server that answers nothing does not blind those who have a watch. */
  #picture(): Picture {
    const { access } = this.twin
    const kinds = ['nodes', 'rebalanceplans.ballast.dev', 'rebalancepolicies.ballast.dev', 'twinfaults.ballast.dev']
    const objects = kinds.flatMap(kind => access.list(kind))
    const faults = objects.filter(({ kind }) => kind === 'TwinFault')
    const twin = { source: 'a test', seed: 1, clock: undefined, faults }
    return pictureOf(objects, { sequence: this.#sequence++, ownNamespace: namespace, twin })
  }
}
