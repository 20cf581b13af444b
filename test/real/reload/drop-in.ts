// `ballast reloader` in the place of Reloader's binary, with the role that Reloader's chart gives, on a real API server: what it asks for, what
// it is refused, and what becomes of changes around the start of a workload and around its own restart.
import { deepStrictEqual, ok } from 'node:assert'
import { setTimeout as pause } from 'node:timers/promises'
import { reloaderObjects } from '../../reloader-role.ts'
import type { ApiObject } from '../control-plane/api-client.ts'
import { type AnsweredRequest, type ControlPlane, startControlPlane } from '../control-plane/start.ts'
import { apply, type ReloadProgram, startProgram } from './programs.ts'

const limitMs = 40_000
const idleMs = 20_000
const quietMs = 3_000
const shop = '/api/v1/namespaces/shop'
const deployments = '/apis/apps/v1/namespaces/shop/deployments'

/** What the role leaves out and the arbiter does without, or does another way. */
const expectedRefusals = [
  /^list \/api\/v1\/(pods|nodes|namespaces|replicationcontrollers)$/,
  /^list \/apis\/apps\/v1\/replicasets$/,
  /^list \/apis\/policy\/v1\/poddisruptionbudgets$/,
  /^list \/apis\/events\.k8s\.io\/v1\/events$/,
  // Events are written as Reloader does, once that is known.
  /^create \/apis\/events\.k8s\.io\/v1\/namespaces\/(reloader|shop)\/events$/,
  /^list \/apis\/keda\.sh\/v1alpha1\/scaledobjects$/,
  /^watch \/apis\/apps\/v1\/(deployments|daemonsets|statefulsets)$/,
  /^watch \/apis\/batch\/v1\/(cronjobs|jobs)$/,
]

function template(secret: string) {
  const containers = [{ name: 'app', image: 'registry.example/app:1', envFrom: [{ secretRef: { name: secret } }] }]
  return { metadata: { labels: { app: 'app' } }, spec: { containers } }
}

function deployment(name: string, secret: string): ApiObject {
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name, namespace: 'shop', annotations: { 'reloader.stakater.com/auto': 'true' } },
    spec: { replicas: 1, selector: { matchLabels: { app: 'app' } }, template: template(secret) },
  }
}

function secret(name: string): ApiObject {
  const metadata = { name, namespace: 'shop' }
  return { apiVersion: 'v1', kind: 'Secret', metadata, stringData: { key: 'first' } }
}

class Site {
  readonly plane: ControlPlane
  #count = 0

  constructor(plane: ControlPlane) {
    this.plane = plane
  }

  change(name: string): Promise<unknown> {
    return this.plane.client.want('PATCH', `${shop}/secrets/${name}`, { stringData: { key: `next ${++this.#count}` } })
  }

  /** How often the template was changed. */
  async rollouts(name: string): Promise<number> {
    const { metadata } = (await this.plane.client.want('GET', `${deployments}/${name}`)) as ApiObject
    return Number(metadata['generation'] ?? 0) - 1
  }

  async until(what: string, program: ReloadProgram, holds: () => Promise<boolean> | boolean): Promise<void> {
    for (const startMs = performance.now(); !(await holds()); await pause(50)) {
      program.look()
      ok(performance.now() - startMs < limitMs, `not so: ${what}\n${program.log}`)
    }
  }

  /** It comes to exactly so many. */
  async settled(program: ReloadProgram, name: string, count: number): Promise<void> {
    await this.until(`${count} roll-outs of ${name}`, program, async () => (await this.rollouts(name)) >= count)
    await pause(quietMs)
    deepStrictEqual(await this.rollouts(name), count, `roll-outs of ${name}\n${program.log}`)
  }

  answeredTo({ user }: ReloadProgram): readonly AnsweredRequest[] {
    return this.plane.answered().filter(one => one.user === user)
  }
}

/** With and without leader election. */
export async function judgeDropIn(isHighlyAvailable: boolean): Promise<string> {
  const plane = await startControlPlane({ scheduler: 'off', controllerManager: false, audit: true })
  await using resources = new AsyncDisposableStack()
  resources.defer(() => plane.stop())
  const site = new Site(plane)
  await apply(plane, [{ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'shop' } }])
  await apply(plane, reloaderObjects({ namespace: 'reloader', isHighlyAvailable }) as readonly ApiObject[])
  await apply(plane, [secret('db'), secret('other'), deployment('cart', 'db')])
  const flags = isHighlyAvailable ? ['--enable-ha'] : []
  const start = async () => {
    const program = await startProgram('ballast reloader', plane, { flags, reload: {}, process: {} })
    await site.until('it reloads', program, () => program.log.includes('part started'))
    return program
  }
  {
    await using first = await start()
    const path = '/api/v1/namespaces/reloader/configmaps'
    const isRemembered = async () => JSON.stringify(await plane.client.want('GET', path)).includes('ballast-reload-baseline-')
    await site.until('it remembers', first, isRemembered)
    await site.change('db')
    await site.settled(first, 'cart', 1)

    const beforeMs = site.answeredTo(first).length
    await pause(idleMs)
    const idle = site.answeredTo(first).slice(beforeMs)
    const others = idle.filter(({ path: asked }) => !asked.includes('/leases'))
    ok(others.length <= 12, `asked for in ${idleMs / 1_000} s of nothing: ${others.map(wordOf).join(', ')}`)

    await apply(plane, [deployment('young', 'other')])
    await pause(100)
    await site.change('other')
    await site.settled(first, 'young', 1)
    await apply(plane, [deployment('later', 'other')])
    await site.settled(first, 'later', 0)
    await first.stop()
    if (isHighlyAvailable) ok(first.log.includes('stopped leading'), first.log)
  }
  await site.change('db')
  await using second = await start()
  await site.settled(second, 'cart', 2)
  await site.change('other')
  await site.settled(second, 'later', 1)
  deepStrictEqual([await site.rollouts('cart'), await site.rollouts('young')], [2, 2])
  const answered = site.answeredTo(second)
  const refused = [...new Set(answered.filter(({ code }) => code === 403).map(wordOf))]
  const unexpected = refused.filter(word => !expectedRefusals.some(expected => expected.test(word)))
  deepStrictEqual(unexpected, [], 'refused')
  return `${answered.length} requests, ${refused.length} kinds of refusals and all expected, every change acted on once`
}

function wordOf({ verb, path }: AnsweredRequest): string {
  return `${verb} ${path.split('?')[0] ?? path}`
}
