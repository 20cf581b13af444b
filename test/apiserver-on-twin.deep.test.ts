// `ballast apiserver` on an API server: who serves the page, who says who does, and where the Service leads.
import { describe, expect, test } from 'vitest'
import { defaultOwnerLabel } from '#cluster/ownership.ts'
import { defaultSettings } from '#cluster/scheduler-settings.ts'
import { defaultPolicy } from '#coordination/policy/arbiter-policy.ts'
import { dashboardSchema } from '#dashboard/configuration.ts'
import type { PictureSource } from '#dashboard/picture.ts'
import { openApi } from '#kube/client/api.ts'
import { VirtualClock } from '#kube/clock.ts'
import { silentLog } from '#kube/log.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { seededRandom } from '#kube/random.ts'
import { startTwin, type Twin } from '#twin/twin.ts'
import { runApiserver } from '../src/process/apiserver/apiserver.ts'
import { openStandby, standbyText } from '../src/process/apiserver/apiserver-standby.ts'
import { ControllerHealth } from '../src/process/health/controller-health.ts'
import { namespace, startMs } from './controlled-cluster.ts'
import { smallCluster } from './small-cluster.ts'

interface Process {
  readonly stop: AbortController
  readonly done: Promise<void>
  readonly health: ControllerHealth
  /** `standby`, `page` and what they become, in order. */
  readonly doors: string[]
  source: PictureSource | undefined
  /** Whom its standby names. */
  holder: () => string
}

class Site implements AsyncDisposable {
  readonly clock = new VirtualClock(startMs)
  readonly #processes: Process[] = []
  #twin: Twin | undefined

  async start(): Promise<this> {
    this.#twin = await startTwin({
      clock: this.clock,
      seed: 1,
      objects: [{ apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } }, ...smallCluster()],
    })
    return this
  }

  get twin(): Twin {
    if (this.#twin === undefined) throw new Error('not started')
    return this.#twin
  }

  run(name: string, address: string): Process {
    const stop = new AbortController()
    const health = new ControllerHealth()
    const doors: string[] = []
    let named = () => ''
    const process: Process = {
      stop,
      health,
      doors,
      source: undefined,
      holder: () => named(),
      done: runApiserver({
        transport: this.twin.transport({ admin: true }),
        clock: this.clock,
        random: seededRandom(this.#processes.length + 1),
        log: silentLog,
        identity: { name, namespace },
        health,
        page: {
          cluster: 'small',
          settings: () => ({
            arbiter: defaultPolicy,
            ownerLabel: defaultOwnerLabel,
            scheduler: defaultSettings('1.36'),
            ownNamespace: namespace,
            capabilities: [],
            askers: [],
          }),
          openPage: async ({ source }) => {
            if (doors.at(-1) === 'standby') throw new Error('the standby still has the port')
            doors.push('page')
            process.source = source
            return { port: 8080, [Symbol.asyncDispose]: async () => void doors.push('page closed') }
          },
          openStandby: async holder => {
            doors.push('standby')
            named = holder
            return { [Symbol.asyncDispose]: async () => void doors.push('standby closed') }
          },
          service: { name: 'ballast-dashboard', address },
        },
        signal: stop.signal,
      }),
    }
    this.#processes.push(process)
    return process
  }

  /** Addresses and ports that the Service leads to. */
  endpoints(): readonly string[] {
    const slices = this.twin.access.list('endpointslices.discovery.k8s.io', namespace) as readonly (KubeObject & {
      readonly endpoints: readonly { readonly addresses: readonly string[] }[]
      readonly ports: readonly { readonly port: number }[]
    })[]
    return slices
      .filter(({ metadata }) => metadata.labels?.['kubernetes.io/service-name'] === 'ballast-dashboard')
      .flatMap(({ endpoints, ports }) => endpoints.flatMap(one => one.addresses.map(at => `${at}:${ports[0]?.port}`)))
  }

  until(done: () => boolean): Promise<void> {
    return this.clock.runUntil(done, { limitMs: 120_000 })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { stop } of this.#processes) stop.abort(new Error('the test is over'))
    let isOver = false
    const all = Promise.all(this.#processes.map(({ done }) => done)).then(() => {
      isOver = true
    })
    await this.until(() => isOver)
    await all
    await this.twin.stop()
  }
}

const states = ({ health }: Process) => health.ready().map(({ name, state }) => `${name} ${state}`)

describe('ballast apiserver', () => {
  test('serves from one process, and from the other when that ends', async () => {
    await using site = await new Site().start()
    const first = site.run('apiserver-a', '10.0.0.1')
    await site.until(() => site.endpoints().length > 0)
    const second = site.run('apiserver-b', '10.0.0.2')
    await site.clock.advance(10_000)
    expect([...first.doors]).toEqual(['standby', 'standby closed', 'page'])
    expect([...second.doors]).toEqual(['standby'])
    expect([states(first), states(second)]).toEqual([
      ['dashboard-dashboard serving', 'leader-election leading'],
      ['dashboard-dashboard standing by', 'leader-election standby'],
    ])
    expect(second.holder()).toBe('apiserver-a')
    expect(site.endpoints()).toEqual(['10.0.0.1:8080'])
    expect(first.source?.current().state.nodes.size).toBe(3)
    first.stop.abort(new Error('shutdown'))
    await site.until(() => site.endpoints()[0] === '10.0.0.2:8080')
    expect(first.doors.at(-1)).toBe('page closed')
    expect([...second.doors]).toEqual(['standby', 'standby closed', 'page'])
  })

  test('without an API server for longer than its Lease stands by again, and takes its endpoint away', async () => {
    await using site = await new Site().start()
    const first = site.run('apiserver-a', '10.0.0.1')
    await site.until(() => site.endpoints().length > 0)
    const away = site.twin.fault({ match: { resource: 'leases', verbs: ['update', 'patch'] }, status: { code: 500 } })
    await site.until(() => first.doors.at(-1) === 'standby')
    expect([...first.doors]).toEqual(['standby', 'standby closed', 'page', 'page closed', 'standby'])
    expect(site.endpoints()).toEqual([])
    away.remove()
    await site.until(() => site.endpoints().length > 0)
    expect(first.doors.slice(-1)).toEqual(['page'])
  })

  test('takes over a slice that was left behind', async () => {
    await using site = await new Site().start()
    const api = openApi(site.twin.transport({ admin: true }), { clock: site.clock, userAgent: 'test' })
    const left = {
      apiVersion: 'discovery.k8s.io/v1',
      kind: 'EndpointSlice',
      metadata: { name: 'ballast-dashboard', namespace, labels: { 'kubernetes.io/service-name': 'ballast-dashboard' } },
      addressType: 'IPv4',
      endpoints: [{ addresses: ['10.9.9.9'] }],
      ports: [{ name: 'http', port: 8080, protocol: 'TCP' }],
    }
    await api.resource<KubeObject>(builtIn.endpointslices).create(left, { signal: new AbortController().signal })
    site.run('apiserver-a', '10.0.0.1')
    await site.until(() => site.endpoints()[0] === '10.0.0.1:8080')
  })
})

describe('a standby', () => {
  test('answers 503 with who leads and how to get there', async () => {
    let holder = ''
    const configuration = dashboardSchema.parse({ listen: '127.0.0.1:0' })
    await using standby = await openStandby({ configuration, namespace, holder: () => holder })
    const ask = async (path: string) => {
      const answer = await fetch(`http://127.0.0.1:${standby.port}${path}`, { signal: AbortSignal.timeout(120_000) })
      return { status: answer.status, retryAfter: answer.headers.get('retry-after'), text: await answer.text() }
    }
    expect(await ask('/')).toMatchObject({ status: 503, retryAfter: '5', text: expect.stringContaining('Nobody leads yet') })
    holder = 'ballast-apiserver-7d9c-x2k9p'
    expect((await ask('/plan')).text).toBe(
      [
        'This pod of ballast-apiserver stands by: ballast-apiserver-7d9c-x2k9p leads and serves the page.',
        'kubectl -n ballast-system port-forward pod/ballast-apiserver-7d9c-x2k9p 0',
        '',
      ].join('\n'),
    )
    expect(JSON.parse((await ask('/api/v1/overview')).text)).toEqual({
      error: { code: 'standing-by', ...standbyText(holder, { namespace, port: 0 }) },
    })
  })
})
